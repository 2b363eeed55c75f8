"""Loads for a user who named none: one that is met and one that is missed."""

from dataclasses import replace

import pytest

from experiments.design.default_loads import default_loads, moved, sustainable_per_s
from experiments.design.probe import Probe
from experiments.spec.load_section import open_scenarios
from experiments.spec.loads import parse_load
from loadtests.slo import SLO

# Requests in flight slow each other: 1, 1.25, 1.5, 2 and 4 times as long as alone.
PROBE = Probe(
    ttft_s=0.05, tpot_s=0.02, e2e_s=0.5, capacity_per_s=16.0, e2e_at_capacity_s=1.0, ttft_at_capacity_s=0.1,
    steps=((4, 4 / 0.625), (8, 8 / 0.75), (16, 16.0), (32, 16.0)),
)  # fmt: skip


def test_an_easy_objective_leaves_all_of_the_capacity() -> None:
    """Twice as long as idle is what the engine takes at capacity, and three times as long is allowed."""
    assert default_loads(SLO(ttft_s=1.0, tpot_s=0.06), PROBE) == ("sustained@0.6x", "burst@1.2x")


def test_a_tight_objective_lowers_the_load_that_is_to_be_met() -> None:
    """A token may take 1.25 times what it takes idle: four at once, two beside the root of four."""
    tight = SLO(tpot_s=0.025, attainment=0.95)
    assert sustainable_per_s(tight, PROBE) == pytest.approx(2.0 + (6.4 - 2.0) / 3)
    below, above = default_loads(tight, PROBE)
    assert (below, above) == ("sustained@0.13x", "burst@1.2x")
    assert all(parse_load(text, open_scenarios()) for text in (below, above))


def test_a_lax_target_raises_the_load_that_is_to_be_missed() -> None:
    """Seven of ten are served well at 1.2 times capacity."""
    assert default_loads(SLO(ttft_s=1.0, attainment=0.7), PROBE)[1] == "burst@1.6x"


def test_a_bound_that_the_probe_cannot_judge_does_not_count() -> None:
    """Answers of one token have no TPOT."""
    assert default_loads(SLO(tpot_s=0.001), replace(PROBE, tpot_s=None))[0] == "sustained@0.6x"


def test_after_a_first_look_a_load_moves_only_where_it_tells_nothing() -> None:
    """One setting that meets it is enough for the one, one that misses it for the other."""
    assert moved(0.7, {"a": 0.4, "b": 0.96}, 0.95, to_be_met=True) == 0.7
    assert moved(0.7, {"a": 0.4, "b": 0.9}, 0.95, to_be_met=True) == 0.35
    assert moved(1.2, {"a": 0.96, "b": 0.99}, 0.95, to_be_met=False) == pytest.approx(1.8)
    assert moved(1.2, {"a": 0.4, "b": 0.99}, 0.95, to_be_met=False) == 1.2
    assert moved(0.7, {}, 0.95, to_be_met=True) == 0.7
