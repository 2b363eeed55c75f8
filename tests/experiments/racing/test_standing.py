"""Who leads, who is worse and how sure that is, on drawn goodputs; and which of the good ones is taken."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.design.cells import Cell
from experiments.racing.choice import chosen
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.standing import SURE, stand
from tests.experiments.racing.drawn import HEAVY, LIGHT, LOADS, course, setting, stretch, stretches

SIXTEEN, EIGHT, TWO = SETTINGS = (setting(16), setting(8), setting(2))


def seen(*good: tuple[float, float], blocks: int = 3) -> list[JudgedStretch]:
    return stretches(SETTINGS, good, blocks)


def test_the_best_at_its_worst_load_leads() -> None:
    """The first is the best under the heavy load and bad under the light one."""
    found = stand(SETTINGS, LOADS, seen((0.6, 1.0), (0.95, 0.9), (0.9, 0.4)))
    assert found.leader == 1
    assert found.score == pytest.approx([0.64, 0.9, 0.4], abs=0.06)
    assert found.ratio[1] == 1.0


def test_who_is_surely_worse_is_and_nobody_else() -> None:
    """A half less on three traces is no luck; a hundredth may be."""
    found = stand(SETTINGS, LOADS, seen((1.0, 0.9), (1.0, 0.89), (1.0, 0.45)))
    assert found.worse.tolist() == [False, False, True]
    assert found.high[2] < 0.7
    assert found.low[1] < 1 < found.high[1]


def test_one_trace_makes_nobody_worse_by_a_little() -> None:
    """One trace is one anecdote, unless it is a third less."""
    found = stand(SETTINGS, LOADS, seen((1.0, 0.95), (1.0, 0.75), (1.0, 0.3), blocks=1))
    assert found.worse.tolist() == [False, False, True]


def test_a_claim_needs_data() -> None:
    """The same two settings 8 % apart: open after a trace, surely good enough after eight."""
    good = ((1.0, 0.9), (1.0, 0.82), (1.0, 0.3))
    early, late = (stand(SETTINGS, LOADS, seen(*good, blocks=blocks)) for blocks in (1, 8))
    assert early.good < late.good
    assert late.good >= SURE
    assert late.better[1] < 1 - SURE


def test_an_unusable_stretch_does_not_count() -> None:
    """The machine was disturbed while the best one ran."""
    whole = seen((1.0, 0.95), (1.0, 0.7), (1.0, 0.3))
    spoilt = [replace(s, usable=s.cell.setting != SIXTEEN) for s in whole]
    assert stand(SETTINGS, LOADS, spoilt).leader == 1
    assert not stand(SETTINGS, LOADS, spoilt).whole[0]


def test_nobody_leads_before_somebody_has_run_at_every_load() -> None:
    """Who is good at one may be bad at the other."""
    light = [s for s in seen((1.0, 1.0), (1.0, 1.0), (1.0, 1.0)) if s.cell.load == LIGHT]
    found = stand(SETTINGS, LOADS, light)
    assert found.leader is None
    assert not found.worse.any()
    assert chosen(course(SETTINGS), found, light, [0, 1, 2]) is None


def choice(*kept: float, good: tuple[float, float, float] = (0.9, 0.9, 0.9)) -> int | None:
    """Of the three, under arrivals that let each do as well as `good` says."""
    drawn = [
        replace(stretch(Cell(one, load, block), share), kept_when_slower=left)
        for one, share, left in zip(SETTINGS, good, kept, strict=True)
        for load in LOADS
        for block in range(8)
    ]
    same = {(s.cell.load, s.cell.block): s.trace for s in drawn if s.cell.setting == SIXTEEN}
    if len(set(good)) == 1:
        drawn = [replace(s, trace=same[s.cell.load, s.cell.block]) for s in drawn]
    return chosen(course(SETTINGS), stand(SETTINGS, LOADS, drawn), drawn, [0, 1, 2])


def test_of_equals_the_most_modest_is_taken() -> None:
    """The same goodput with less in flight leaves more room."""
    assert choice(1.0, 1.0, 1.0) == 2


def test_of_equals_the_one_that_stands_a_slower_engine_is_taken() -> None:
    """Two slots lie at a cliff here: 5 % of speed cost them a fifth."""
    assert choice(1.0, 0.995, 0.8) == 1


def test_neither_costs_much_goodput() -> None:
    """The modest one is 10 % behind, however steady it is."""
    assert choice(0.9, 0.9, 1.0, good=(0.97, 0.97, 0.87)) in (0, 1)


def test_shares_of_nothing_are_no_merit() -> None:
    """At a load where nobody serves anything in time nobody is worse than another."""
    found = stand(SETTINGS, LOADS, seen((0.9, 0.0), (0.5, 0.0), (0.2, 0.0), blocks=4))
    assert found.leader == 0
    assert np.isfinite(found.score).all()
    assert found.goodput[:, LOADS.index(HEAVY)].tolist() == [0.0, 0.0, 0.0]
