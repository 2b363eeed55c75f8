"""Where the time of a typical and of a slow request went.

A request's E2E latency is taken apart where somebody looked at a clock:

    send lag        due → sent                                   the load generator's own
    gateway queue   queue_s of the gateway's answer              waiting for a slot
    engine queue    ┐
    prefill         │ sent → first token, less queue_s           see below
    network         ┘ … and last chunk → end                     sockets, parsing, the gateway itself
    decode          first → last token

A gateway may hold the response head back until the first token comes, so the head's time tells nothing. What
lies before the first token is split by the engine's own mean times of the cell: the network is what the mean
request spent there beyond the engine's means, and the rest goes to queue and prefill as their means are to
each other.

Each difference is of one clock: the client's, or a duration that the gateway measured itself. The parts of
one request add up to its latency; those of a group of requests near a quantile are their means, and add up
to the group's mean.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BAND = 0.025
_LEAST_IN_BAND = 5


@dataclass(frozen=True, slots=True)
class Stamps:
    """Served requests as columns (n,), seconds; queue_s is nan where nobody said."""

    due_s: Floats
    sent_s: Floats
    first_s: Floats
    last_s: Floats
    finished_s: Floats
    queue_s: Floats


@dataclass(frozen=True, slots=True)
class Parts:
    """Mean parts of the requests around a quantile of the E2E latency, in seconds.

    `of_s` is the mean latency that they add up to, over `n` requests. Without the engine's own times
    `engine_queue_s` is None and `prefill_s` holds all that lies before the first token. `largest` names
    the greatest part.
    """

    of_s: float
    n: int
    send_lag_s: float
    gateway_queue_s: float
    network_s: float
    engine_queue_s: float | None
    prefill_s: float
    decode_s: float
    largest: str


def take_apart(
    stamps: Stamps, q: float, engine_queue_mean_s: float | None, prefill_mean_s: float | None
) -> Parts | None:
    """The parts of the requests within 2.5 % of the rank of the E2E quantile `q`, five at least; None when
    fewer than five were served.

    `engine_queue_mean_s`, `prefill_mean_s`: the engine's means over the cell (growth of the sums over growth
    of the counts), which split the time before the first token; None where unknown.
    """
    e2e = stamps.finished_s - stamps.due_s
    n = len(e2e)
    if n < _LEAST_IN_BAND:
        return None
    half = max(_BAND * n, _LEAST_IN_BAND / 2)
    ranks = np.argsort(np.argsort(e2e))
    near = np.flatnonzero(np.abs(ranks - min(q * n, n - half)) <= half)
    columns = _columns(stamps)
    means = {name: float(values[near].mean()) for name, values in columns.items()}
    before_token, ahead, queue = means["before_token"], 0.0, None
    if engine_queue_mean_s is not None and prefill_mean_s is not None:
        engine_s = engine_queue_mean_s + prefill_mean_s
        ahead = min(before_token, max(0.0, float(columns["before_token"].mean()) - engine_s))
        queue = (before_token - ahead) * (engine_queue_mean_s / engine_s if engine_s > 0 else 0.0)
    parts = {
        "send_lag_s": means["send_lag"],
        "gateway_queue_s": means["gateway_queue"],
        "network_s": ahead + means["after_last"],
        "prefill_s": before_token - ahead - (queue or 0.0),
        "decode_s": means["decode"],
    }
    largest = max({**parts, "engine_queue_s": queue or 0.0}.items(), key=lambda part: part[1])[0]
    return Parts(
        of_s=float(e2e[near].mean()), n=len(near), engine_queue_s=queue, largest=largest.removesuffix("_s"),
        **parts,
    )  # fmt: skip


def _columns(stamps: Stamps) -> dict[str, Floats]:
    """Each request's parts; without a gateway's word its queue stays in `before_token`."""
    queue = np.nan_to_num(stamps.queue_s)
    return {
        "send_lag": stamps.sent_s - stamps.due_s,
        "gateway_queue": queue,
        "before_token": stamps.first_s - stamps.sent_s - queue,
        "decode": stamps.last_s - stamps.first_s,
        "after_last": stamps.finished_s - stamps.last_s,
    }
