"""Where the time of a typical and of a slow request went.

A request's E2E latency is taken apart where somebody looked at a clock:

    send lag        due → sent                                   the load generator's own
    gateway queue   queue_s of the gateway's answer              waiting for a slot
    network         sent → head − queue_s − upstream_s, and last chunk → end
    engine queue    ┐ upstream_s + (head → first token)          split by the engine's own mean times of the
    prefill         ┘                                            cell, where it has them
    decode          first → last token

Each difference is of one clock: the client's, or a duration that the gateway measured itself. The parts of
one request add up to its latency; those of a group of requests near a quantile are their means, and add up
to the group's mean.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BAND = 0.025
_LEAST_IN_BAND = 5


@dataclass(frozen=True, slots=True)
class Stamps:
    """Served requests as columns (n,), seconds; queue_s and upstream_s are nan where nobody said."""

    due_s: Floats
    sent_s: Floats
    headers_s: Floats
    first_s: Floats
    last_s: Floats
    finished_s: Floats
    queue_s: Floats
    upstream_s: Floats


@dataclass(frozen=True, slots=True)
class Parts:
    """Mean parts of the requests around a quantile of the E2E latency, in seconds.

    `of_s` is the mean latency that they add up to, over `n` requests. Without the engine's own times
    `engine_queue_s` is None and `prefill_s` holds both. `largest` names the greatest part.
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

    def to_json(self) -> dict[str, Any]:
        """As stored in summary.json."""
        return asdict(self)


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
    means = {name: float(values[near].mean()) for name, values in _columns(stamps).items()}
    queue_share = _queue_share(engine_queue_mean_s, prefill_mean_s)
    before_token = means["before_token"]
    parts = {
        "send_lag_s": means["send_lag"],
        "gateway_queue_s": means["gateway_queue"],
        "network_s": means["network"],
        "engine_queue_s": None if queue_share is None else before_token * queue_share,
        "prefill_s": before_token * (1 - (queue_share or 0.0)),
        "decode_s": means["decode"],
    }
    largest = max(parts, key=lambda name: parts[name] or 0.0).removesuffix("_s")
    known = {name: value for name, value in parts.items() if name != "engine_queue_s"}
    return Parts(
        of_s=float(e2e[near].mean()), n=len(near), engine_queue_s=parts["engine_queue_s"], largest=largest,
        **{name: float(value or 0.0) for name, value in known.items()},
    )  # fmt: skip


def _columns(stamps: Stamps) -> dict[str, Floats]:
    """Each request's parts; where the gateway said nothing its queue and network stay in `before_token`."""
    queue = np.nan_to_num(stamps.queue_s)
    head = stamps.headers_s - stamps.sent_s
    on_the_way = np.maximum(0.0, head - queue - stamps.upstream_s)
    to_head = np.where(np.isnan(stamps.upstream_s), 0.0, on_the_way)
    return {
        "send_lag": stamps.sent_s - stamps.due_s,
        "gateway_queue": queue,
        "network": to_head + (stamps.finished_s - stamps.last_s),
        "before_token": stamps.first_s - stamps.sent_s - queue - to_head,
        "decode": stamps.last_s - stamps.first_s,
    }


def _queue_share(queue_mean_s: float | None, prefill_mean_s: float | None) -> float | None:
    if queue_mean_s is None or prefill_mean_s is None or queue_mean_s + prefill_mean_s <= 0:
        return None
    return queue_mean_s / (queue_mean_s + prefill_mean_s)
