"""Predicting cells: what is counted, and that no run is played twice where it would be the same."""

from __future__ import annotations

import itertools

import pytest

from experiments.twin.predicted import MEASURES, Predictor, measures
from experiments.twin.profile import EXACT, TINY_CPU
from experiments.twin.simulate import simulate
from gateway.limits import Limits, QueueMode
from loadtests.planning import plan
from loadtests.planning.mix import Mix
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
