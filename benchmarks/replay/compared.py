"""A recording and its replay's recording, in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.latency import Column
from loadtests.traffic import lengths
from loadtests.traffic.shared_prefixes import seen_before_bytes
from loadtests.traffic.traffic import Traffic

_LEVEL = 0.8
"""Of the recording's own TTFT and TPOT: the bounds that both are judged by, so that many lie near them."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One recording. Lengths are tokens, of the requests that had an answer each time. lanes: share of the
    requests. seen_before: share of the prompts' bytes with which an earlier one had begun, by the hashes.
    prefix_hit: share of the prompt tokens that the engine found in its cache, as it counts them; None where
    it has none. attainment: of all requests, within the bounds. ttft_p50_s, tpot_p50_s: of those with an
    answer.
    """

    requests: int
    gap_mean_s: float
    gap_cv: float
    prompt_mean: float
    prompt_p95: float
    output_mean: float
    output_p95: float
    lanes: dict[str, float]
    sessions: int
    left: float
    refused: float
    seen_before: float
    prefix_hit: float | None
    attainment: float
    ttft_p50_s: float
    tpot_p50_s: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request is judged by, seconds."""

    ttft_s: float
    tpot_s: float

    @classmethod
    def of(cls, traffic: Traffic) -> Bounds:
        """Such that a fifth of the recording's answers is late by each of them."""
        return cls(_quantile(traffic.ttft_s, _LEVEL), _quantile(traffic.tpot_s, _LEVEL))


def answered_in_all(recordings: Sequence[Traffic]) -> NDArray[np.bool_]:
    """Which requests (n,) had an answer in each of several recordings of n; of others the lengths are not
    known, and whom a full queue refused must not look like other lengths.

    Raises:
        ValueError: they are of unequal length.
    """
    found: NDArray[np.bool_] = np.logical_and.reduce([traffic.measured for traffic in recordings])
    return found


def leg(traffic: Traffic, bounds: Bounds, prefix_hit: float | None, compared: NDArray[np.bool_]) -> Leg:
    """The figures of a recording; lengths of the requests that are `compared` (n,)."""
    gaps_s, measured = np.diff(traffic.arrived_unix_s), traffic.measured
    prompts, outputs = traffic.prompt_tokens[compared], traffic.output_tokens[compared]
    seen, n = seen_before_bytes(traffic), len(traffic)
    counts = traffic.lane.counts()
    good = measured & (traffic.ttft_s <= bounds.ttft_s) & ~(traffic.tpot_s > bounds.tpot_s)
    return Leg(
        requests=n,
        gap_mean_s=float(gaps_s.mean()),
        gap_cv=float(gaps_s.std() / gaps_s.mean()),
        prompt_mean=float(prompts.mean()),
        prompt_p95=float(np.quantile(prompts, 0.95)),
        output_mean=float(outputs.mean()),
        output_p95=float(np.quantile(outputs, 0.95)),
        lanes={name: count / n for name, count in sorted(counts.items())},
        sessions=len(traffic.session.counts()),
        left=float(lengths.left(traffic).mean()),
        refused=float(np.mean((traffic.status == 429) | (traffic.status == 503))),
        seen_before=float(np.nansum(seen) / traffic.prompt_bytes[np.isfinite(seen)].sum()),
        prefix_hit=prefix_hit,
        attainment=float(good.mean()),
        ttft_p50_s=_quantile(traffic.ttft_s, 0.5),
        tpot_p50_s=_quantile(traffic.tpot_s, 0.5),
    )


def _quantile(values: Column, share: float) -> float:
    return float(np.nanquantile(values, share))


def _lanes(recorded: Leg, replayed: Leg) -> float:
    names = recorded.lanes.keys() | replayed.lanes.keys()
    return max(abs(replayed.lanes.get(name, 0.0) - recorded.lanes.get(name, 0.0)) for name in names)


def _ratio(name: str) -> Callable[[Leg, Leg], float]:
    return lambda recorded, replayed: getattr(replayed, name) / getattr(recorded, name) - 1


def _points(name: str) -> Callable[[Leg, Leg], float | None]:
    def difference(recorded: Leg, replayed: Leg) -> float | None:
        before, after = getattr(recorded, name), getattr(replayed, name)
        return None if before is None or after is None else after - before

    return difference


DIFFERENCES: dict[str, tuple[Callable[[Leg, Leg], float | None], float | None]] = {
    "requests": (_ratio("requests"), 0.02),
    "mean gap": (_ratio("gap_mean_s"), 0.02),
    "variation of the gaps": (_ratio("gap_cv"), 0.02),
    "mean prompt": (_ratio("prompt_mean"), 0.02),
    "p95 prompt": (_ratio("prompt_p95"), 0.02),
    "mean answer": (_ratio("output_mean"), 0.02),
    "p95 answer": (_ratio("output_p95"), 0.02),
    "share of a lane, the worst": (_lanes, 0.02),
    "prefix hits of the engine": (_points("prefix_hit"), 0.03),
    "prompts seen before, by hashes": (_points("seen_before"), 0.03),
    "attainment": (_points("attainment"), 0.03),
    "clients that left": (_points("left"), None),
    "refused": (_points("refused"), None),
    "sessions": (_ratio("sessions"), None),
    "median TTFT": (_ratio("ttft_p50_s"), None),
    "median TPOT": (_ratio("tpot_p50_s"), None),
}
"""Figure → the difference of a replay to its recording (a part of it, or of 1 for shares), and the most that
its mean over the blocks may be; None where it is only shown."""
