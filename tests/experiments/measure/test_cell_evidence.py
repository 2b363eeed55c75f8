"""What is read from a cell's records: slots as they were, intervals, steadiness, parts."""

import numpy as np
import pytest

from experiments.measure.cell_evidence import (
    Occupancy,
    is_stationary,
    request_breakdown,
    steady,
    with_intervals,
)
from experiments.run_folder.cell_summary import Breakdown
from loadtests.outcome import Outcome
from loadtests.planning.scenarios import SCENARIOS, Scenario
from loadtests.record import RequestRecord
from loadtests.recording.latency_summary import Latency
from loadtests.recording.quantiles import Quantile
from loadtests.recording.summary import Latencies


def _record(
    i: int, due_s: float, queue_s: float = 0.0, service_s: float = 1.0, outcome: Outcome = Outcome.OK
) -> RequestRecord:
    sent = due_s + 0.001
    head = sent + queue_s + 0.01
    end = head + service_s
    ok = outcome is Outcome.OK
    return RequestRecord(
        i=i, request_id=f"r{i}", phase="measure", cls="default", session=-1, due_s=due_s, outcome=outcome,
        sent_s=sent, headers_s=head, first_s=head + 0.1 if ok else None, last_s=end if ok else None,
        finished_s=end, output_tokens=10 if ok else None, queue_s=queue_s, upstream_s=0.009 if ok else None,
    )  # fmt: skip


def test_the_slots_are_what_the_records_say() -> None:
    """Two of two slots from 2 to 3 s; a third request waits for one; a rejected one holds none."""
    records = [
        _record(0, 1.0, service_s=2.0), _record(1, 2.0, service_s=2.0), _record(2, 2.2, queue_s=0.9),
        _record(3, 2.5, outcome=Outcome.REJECTED_FULL),
    ]  # fmt: skip
    seen = Occupancy(records, slots=2, start_s=0.0, end_s=10.0)
    assert seen.active.max() == 2
    assert seen.queued.max() == 1
    assert seen.active.mean() * 10 == pytest.approx(5.03, abs=0.15)
    assert seen.house.full_s == pytest.approx(2.0, abs=0.1)


def _median_e2e(latencies: Latencies) -> Quantile:
    assert latencies.e2e_s is not None
    assert (latencies.e2e_s.n, latencies.e2e_s.mean) == (800, 1.0)
    return latencies.e2e_s.p50


def test_correlated_latencies_get_wider_intervals() -> None:
    """The same values, once in random order and once in bunches: the bunches are worth less."""
    rng = np.random.default_rng(0)
    waits = np.repeat(rng.exponential(0.5, 40), 20)
    nothing = Quantile(None, None, None)
    base = Latencies(
        ttft_s=None, ttft_from_send_s=None, tpot_s=None, itl_s=None, queue_s=None, upstream_s=None,
        send_lag_s=None, e2e_s=Latency(800, 1.0, nothing, nothing, nothing),
    )  # fmt: skip
    bunched = [_record(i, i * 0.1, queue_s=float(w)) for i, w in enumerate(waits)]
    mixed = [_record(i, i * 0.1, queue_s=float(w)) for i, w in enumerate(rng.permutation(waits))]
    p50 = [_median_e2e(with_intervals(base, records)) for records in (bunched, mixed)]
    widths = [(one.high or np.nan) - (one.low or np.nan) for one in p50]
    assert widths[0] > 2 * widths[1]
    assert (p50[0].n_eff or np.inf) < 200 < (p50[1].n_eff or 0)


def test_steadiness_is_said_of_stationary_loads_only() -> None:
    """A burst cannot be steady; an even stream is."""
    rng = np.random.default_rng(1)
    records = [_record(i, i * 0.1, service_s=float(rng.uniform(0.5, 1.0))) for i in range(300)]
    occupancy = Occupancy(records, slots=20, start_s=0.0, end_s=30.0)
    backlog = occupancy.active + occupancy.queued
    assert steady(records, 0.0, "sustained", backlog, bounded=False).verdict == "steady"
    assert steady(records, 0.0, "burst", backlog, bounded=False).verdict == "cannot_be"
    assert steady([], 0.0, "sustained", np.array([]), bounded=False).verdict == "cant_tell"


def test_stationary_is_read_from_the_table_of_scenarios(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new scenario has steady cells without a word here; one that is not in the table any more has none."""
    assert [is_stationary(name) for name in ("gamma", "ramp", "closed", "pairs")] == [
        True,
        False,
        False,
        False,
    ]
    monkeypatch.setitem(SCENARIOS, "pairs", Scenario("two at a time", stationary=True))
    assert is_stationary("pairs")


def test_the_parts_of_the_slow_request_name_the_queue() -> None:
    """One in ten waited two seconds: the p95 is the gateway's queue, the p50 the decoding."""
    records = [_record(i, float(i), queue_s=2.0 if i % 10 == 0 else 0.0) for i in range(100)]
    found = request_breakdown(records, None, None)
    assert found.p50 is not None
    assert found.p95 is not None
    assert found.p95.largest == "gateway_queue"
    assert found.p50.largest == "decode"
    assert request_breakdown([], None, None) == Breakdown(None, None)
