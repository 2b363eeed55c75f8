"""What a cell's records say beyond counts: intervals that allow for correlation, steady state, where the time
went, and the slots as they really were."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from experiments.run_folder.cell_summary import Breakdown
from experiments.stats import breakdown, steady_state
from experiments.stats.all_slots_busy import SaturatedRate, all_slots_busy
from experiments.stats.quantile_interval import QuantileInterval, quantile_interval
from experiments.stats.rate_by_concurrency import RateByConcurrency, rate_by_concurrency
from experiments.stats.steady_state import SteadyState
from loadtests.planning.scenarios import SCENARIOS
from loadtests.record import RequestRecord
from loadtests.recording.latency_summary import Latency
from loadtests.recording.quantiles import MINIMUM_N, Quantile
from loadtests.recording.summary import Latencies

Floats = npt.NDArray[np.float64]
# Requests of one moment share its queue; the send lag is the generator's and stays as it is.
_CORRELATED = ("ttft_s", "ttft_from_send_s", "ttfv_s", "tpot_s", "e2e_s", "queue_s", "upstream_s")
SAMPLES = 200


def with_intervals(latency: Latencies, measured: Sequence[RequestRecord]) -> Latencies:
    """The summary's latencies with intervals on the effective sample size in place of those that take
    requests for independent ones."""
    served = [record for record in measured if record.outcome == "ok"]
    corrected: dict[str, Latency] = {}
    for name in _CORRELATED:
        plain: Latency | None = getattr(latency, name)
        rows = [(record.due_s, getattr(record, name)) for record in served]
        pairs = np.array([(due, value) for due, value in rows if value is not None], dtype=float)
        if plain is None or len(pairs) < MINIMUM_N[0.5]:
            continue
        due_s, values = pairs[:, 0], pairs[:, 1]
        p50, p95, p99 = (_quantile(quantile_interval(values, due_s, q)) for q in (0.5, 0.95, 0.99))
        corrected[name] = replace(plain, p50=p50, p95=p95, p99=p99)
    return replace(latency, **corrected)


def _quantile(interval: QuantileInterval) -> Quantile:
    return Quantile(interval.value, interval.low, interval.high, round(interval.n_eff, 1), interval.why)


def steady(
    measured: Sequence[RequestRecord],
    start_s: float,
    scenario: str,
    backlog: Floats,
    *,
    bounded: bool,
) -> SteadyState:
    """The steady-state check of the cell, as stored in summary.json. `backlog`: requests at the gateway, at
    equal steps of the window; may be empty."""
    served = sorted(
        (r.due_s - start_s, r.e2e_s) for r in measured if r.outcome == "ok" and r.e2e_s is not None
    )
    due, values = np.array(served, dtype=float).reshape(-1, 2).T
    return steady_state.judge(values, due, backlog, stationary_load=is_stationary(scenario), bounded=bounded)


def is_stationary(scenario: str) -> bool:
    """Whether the scenario offers the same rate throughout, so that there is a steady state to look for."""
    return scenario in SCENARIOS and SCENARIOS[scenario].stationary


def request_breakdown(
    measured: Sequence[RequestRecord], engine_queue_mean_s: float | None, prefill_mean_s: float | None
) -> Breakdown:
    """The p50 and the p95 request taken apart; none where too few were served."""
    rows = [
        (r.due_s, r.sent_s, r.first_s, r.last_s, r.finished_s, _nan(r.queue_s))
        for r in measured
        if r.outcome == "ok" and None not in (r.sent_s, r.first_s, r.last_s, r.finished_s)
    ]
    if not rows:
        return Breakdown(None, None)
    stamps = breakdown.Stamps(*np.array(rows, dtype=float).T)
    p50, p95 = (breakdown.take_apart(stamps, q, engine_queue_mean_s, prefill_mean_s) for q in (0.5, 0.95))
    return Breakdown(p50, p95)


class Occupancy:
    """Slots held and requests queued at the gateway, reconstructed from the records of every phase: exact
    where a scrape a second would see a sample.

    `active` and `queued` are taken at 200 equal steps of the window; `house` is what happened while every
    slot was busy, `curve` the rates with fewer.
    """

    def __init__(self, records: Sequence[RequestRecord], slots: int, start_s: float, end_s: float) -> None:
        held = [
            (r.sent_s + r.queue_s, r.finished_s)
            for r in records
            if r.outcome.held_a_slot
            if r.sent_s is not None and r.queue_s is not None and r.finished_s is not None
        ]
        waited = [
            (r.sent_s, r.sent_s + r.queue_s)
            for r in records
            if r.sent_s is not None and r.queue_s is not None and r.queue_s > 0
        ]
        at = start_s + (np.arange(SAMPLES) + 0.5) * (end_s - start_s) / SAMPLES
        self.active = _inside(held, at)
        self.queued = _inside(waited, at)
        starts, ends = np.array(held, dtype=float).reshape(-1, 2).T
        self.house: SaturatedRate = all_slots_busy(starts, ends, slots, (start_s, end_s))
        self.curve: RateByConcurrency | None = rate_by_concurrency(starts, ends, slots, (start_s, end_s))

    @staticmethod
    def known(records: Sequence[RequestRecord]) -> bool:
        """Whether the gateway said how long each served request had waited."""
        return all(r.queue_s is not None for r in records if r.outcome == "ok")


def _inside(spans: Sequence[tuple[float, float]], at: Floats) -> Floats:
    begins, ends = np.array(spans, dtype=float).reshape(-1, 2).T
    begun = np.searchsorted(np.sort(begins), at, side="right")
    return np.asarray(begun - np.searchsorted(np.sort(ends), at, side="right"), dtype=float)


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
