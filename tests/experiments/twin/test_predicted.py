"""Predicting cells: what is counted, and that no run is played twice where it would be the same."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.twin.predicted import MEASURES, Expected, Predictor, expected_of, measures
from experiments.twin.profile import EXACT, TINY_CPU
from experiments.twin.simulate import simulate
from gateway.limits import Limits, QueueMode
from loadtests.outcome import Outcome
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.record import RequestRecord
from loadtests.recording import quantiles
from loadtests.recording.table import from_records
from loadtests.slo import SLO

SLO_S = SLO.parse("ttft<=0.5s,tpot<=60ms")


@pytest.mark.parametrize("rate_per_s", [2.0, 6.0, 14.0])
def test_a_run_taken_for_another_is_the_same(rate_per_s: float) -> None:
    """Over a matrix that binds in some places and not in others every shortcut gives what playing gives."""
    traces = [plan.make("burst", rate_per_s, 2, 20, seed, Mix.fixed(64, 24)) for seed in (1, 2)]
    predictor = Predictor(traces, [TINY_CPU], SLO_S)
    cells = [
        Limits(max_active=active, queue_mode=mode, queue_max=queue, queue_timeout_s=timeout_s)
        for active, queue, timeout_s, mode in itertools.product(
            (64, 16, 4, 2), (500, 40, 3, 0), (60.0, 2.0, 0.3), (QueueMode.QUEUE, QueueMode.REJECT)
        )
    ]
    for limits in cells:
        predicted = predictor.cell(limits)
        played = [measures(trace, simulate(trace.arrivals, TINY_CPU, limits), SLO_S) for trace in traces]
        for name in MEASURES:
            expected = sum(run[name] for run in played) / len(played)
            assert predicted[name].mean == pytest.approx(expected, nan_ok=True), (limits, name)
    assert predictor.simulated < len(cells) * len(traces)


@dataclass(frozen=True)
class Planned:
    """An arrival within the measured window of `PlanOf`."""

    due_s: float
    output_tokens: int
    prompt_tokens: int = 10
    think_s: float = 0.0
    cls: str = ""
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlanOf:
    """What of a plan is read here."""

    arrivals: tuple[Planned, ...]

    def phase_s(self, phase: str) -> tuple[float, float]:
        return 0.0, 1000.0


def test_a_p95_is_a_value_of_the_run_as_in_a_measured_cell() -> None:
    """Alone in the engine a request takes its tokens × 10 ms; of 20 the 19th is the p95."""
    trace = PlanOf(tuple(Planned(10.0 * i, i + 1) for i in range(20)))
    done = simulate(trace.arrivals, EXACT, Limits(max_active=1))
    predicted = measures(trace, done, SLO.parse("ttft<=1s"))  # type: ignore[arg-type]
    assert predicted["e2e_p95_s"] == pytest.approx(0.19)
    table = from_records(records(trace, done.first_s, done.last_s))
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        times = np.sort(table.times(name)[~np.isnan(table.times(name))]).tolist()
        assert predicted[f"{name.removesuffix('_s')}_p95_s"] == quantiles.of_sorted(times, 0.95), name


def records(trace: PlanOf, first_s: np.ndarray, last_s: np.ndarray) -> list[RequestRecord]:
    """The run as a load client would have recorded it."""
    return [
        RequestRecord(
            i, str(i), "measure", "", -1, arrival.due_s, Outcome.OK,
            first_s=float(first), last_s=float(last), finished_s=float(last),
            output_tokens=arrival.output_tokens,
        )
        for i, (arrival, first, last) in enumerate(zip(trace.arrivals, first_s, last_s, strict=True))
    ]  # fmt: skip


def test_the_range_holds_a_further_run_with_90_percent() -> None:
    """Of 39 runs a further one lies below the second with 2/40 and above the last but one with 2/40; a few
    runs have no such range, and theirs is from the least to the greatest. What is not defined does not count.
    """
    runs = np.random.default_rng(1).permutation(np.arange(1.0, 40.0))
    assert expected_of(runs) == Expected(20.0, 2.0, 38.0)
    assert expected_of(np.array([3.0, math.nan, 1.0, 2.0])) == Expected(2.0, 1.0, 3.0)


def test_an_answer_of_one_token_has_no_tpot() -> None:
    """It is neither a TPOT of 0 nor a miss of the bound."""
    trace = PlanOf(tuple(Planned(float(i), 1) for i in range(5)))
    done = simulate(trace.arrivals, EXACT, Limits())
    predicted = measures(trace, done, SLO.parse("tpot<=1ms"))  # type: ignore[arg-type]
    assert math.isnan(predicted["tpot_p95_s"])
    assert predicted["attainment"] == 1.0


def test_the_first_token_of_the_twin_is_a_visible_one() -> None:
    """It does not reason: a bound on TTFV is judged as one on TTFT."""
    trace = plan.make("sustained", 20.0, 1, 10, 3, Mix.fixed(16, 10))
    done = simulate(trace.arrivals, EXACT, Limits(max_active=1))
    ttft, ttfv = (measures(trace, done, SLO.parse(f"{name}<=5s")) for name in ("ttft", "ttfv"))
    assert 0 < ttft["attainment"] < 1
    assert ttfv == ttft


def test_the_shares_are_of_the_offered_requests() -> None:
    """Rejected and late requests stay in the denominator; the warm-up does not count."""
    trace = plan.make("sustained", 20.0, 1, 10, 3, Mix.fixed(16, 10))
    done = simulate(trace.arrivals, EXACT, Limits(max_active=1, queue_mode=QueueMode.REJECT))
    predicted = measures(trace, done, SLO.parse("ttft<=15ms"))
    offered = trace.offered("measure")
    served = sum(
        outcome == "ok" and arrival.phase == "measure"
        for outcome, arrival in zip(done.outcome, trace.arrivals, strict=True)
    )
    assert predicted["rejected_ratio"] == pytest.approx(1 - served / offered)
    assert predicted["attainment"] == pytest.approx(served / offered)
    assert predicted["goodput_per_s"] == pytest.approx(served / 10)
