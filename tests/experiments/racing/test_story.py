"""race.json: every setting accounted for, one race for each start of the engine, and what more would cost."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.racing.race import Raced
from experiments.racing.standing import RaceStanding, stand
from experiments.racing.story import further_s, is_over, keep, read
from experiments.run_folder.race_story import RaceEnd
from experiments.stack.engine_knobs import EngineKnobs
from tests.experiments.racing.drawn import LOADS, course, setting, stretches

SETTINGS = (setting(16), setting(8), setting(2))
COURSE = course(SETTINGS)


def standing(blocks: int = 4) -> RaceStanding:
    return stand(SETTINGS, LOADS, stretches(SETTINGS, [[1.0, 0.9], [1.0, 0.89], [1.0, 0.3]], blocks))


def raced(found: RaceStanding) -> Raced:
    return Raced(found, 0, (0, 1), RaceEnd.BUDGET, (), ())


def between(ratio: float, spread: float, better: float) -> RaceStanding:
    """The second setting so far behind the leader, its logarithm known with that standard error."""
    low, high = (ratio * math.exp(sign * 1.96 * spread) for sign in (-1, 1))
    base = standing()
    ratios, lows, highs = np.array([1, ratio, 0.3]), np.array([1, low, 0.2]), np.array([1, high, 0.4])
    return replace(
        base, leader=0, ratio=ratios, low=lows, high=highs, better=np.array([0, better, 0]),
        decides=np.array([[0.0, 1.0]] * 3),
    )  # fmt: skip


def test_twice_the_error_takes_four_times_as_long() -> None:
    """Standard errors shrink with the root of the stretches; leader and rival run 50 s each at one load."""
    narrow, wide = (further_s(COURSE, raced(between(0.97, error, 0.2)), 1) for error in (0.1, 0.2))
    assert narrow is not None
    assert wide is not None
    already_s = 4 * 2 * 50.0
    assert (wide + already_s) / (narrow + already_s) == pytest.approx(4.0, rel=0.01)


def test_nothing_more_is_asked_where_it_is_settled_or_never_would_be() -> None:
    """Surely no better; the leader itself; at the very edge of the indifference zone."""
    assert further_s(COURSE, raced(between(0.9, 0.02, 0.01)), 1) is None
    assert further_s(COURSE, raced(between(0.97, 0.1, 0.2)), 0) is None
    assert further_s(COURSE, raced(between(1 / 0.97, 0.1, 0.5)), 1) is None


def test_every_setting_is_in_the_file(tmp_path: Path) -> None:
    """Those that stand in doubt and those that are surely worse."""
    keep(tmp_path, EngineKnobs(), COURSE, raced(standing()))
    found = read(tmp_path)
    assert found is not None
    (one,) = found.races
    assert (one.winner, one.end) == (SETTINGS[0].name, RaceEnd.BUDGET)
    assert [place.name for place in one.places] == [one.name for one in SETTINGS]
    assert one.places[0].stretches == {"sustained@6": 4, "sustained@12": 4}
    assert not is_over(tmp_path, EngineKnobs())


def test_each_start_of_the_engine_has_its_race_and_a_second_one_replaces_it(tmp_path: Path) -> None:
    """A resumed run judges its race anew."""
    for knobs in (EngineKnobs(8), EngineKnobs(16), EngineKnobs(16)):
        ours = course([one.on(knobs) for one in SETTINGS])
        keep(tmp_path, knobs, ours, raced(standing()))
    found = read(tmp_path)
    assert found is not None
    assert [race.places[0].setting.engine for race in found.races] == [EngineKnobs(8), EngineKnobs(16)]


def test_a_run_that_was_no_race_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None
