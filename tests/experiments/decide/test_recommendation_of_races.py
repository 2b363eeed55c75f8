"""The recommendation from cells that are not there for every setting, load and block."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from experiments.decide.capacity_text import in_short
from experiments.decide.recommendation import recommend
from experiments.decide.recommendation_text import show
from experiments.run_folder import codec
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.measured_cell import finished_cells, matrix_cells
from experiments.run_folder.race_story import EngineRace, RaceEnd, RacePlace, RaceStory
from experiments.run_folder.reading import read_run
from experiments.run_folder.recommendation import Neighbour, Recommendation, Standing
from experiments.run_folder.run_state import Objective
from experiments.spec.setting import Setting
from experiments.speed.judge import CellSpeed, Speed, SpeedSeconds, SpeedVerdict
from loadtests.slo import SLO
from tests.experiments import race_on_disk
from tests.experiments.race_on_disk import BEST, HEAVY, LEFT, LIGHT, RUNNER_UP, Measured
from tests.experiments.runs_on_disk import SLO as TEXT


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return race_on_disk.write(tmp_path_factory.mktemp("race") / "run")


@pytest.fixture(scope="module")
def found(race: Path) -> Recommendation:
    return recommend(race, SLO.parse(TEXT))


def _speed(cell_id: str, index: float) -> CellSpeed:
    seconds = SpeedSeconds((), (), (), ())
    return CellSpeed(cell_id, SpeedVerdict.STEADY, Speed(index, index, index), index, 0.0, None, seconds)


def of(found: Recommendation, name: str) -> Neighbour:
    (one,) = (other for other in found.neighbours if other.name == name)
    return one


def test_no_setting_is_chosen_by_what_confirms_or_searches(race: Path) -> None:
    """They are finished cells and none of the matrix."""
    of_matrix = {cell.id for cell in matrix_cells(race)}
    assert len(of_matrix) == 1 + 5 + 8
    assert {cell.purpose for cell in finished_cells(race) if cell.id not in of_matrix} == {
        "validation",
        "capacity",
    }


def test_every_setting_is_accounted_for(found: Recommendation) -> None:
    """The one that was left after a stretch too: with what it was measured on, and why it is not the one."""
    assert found.setting == BEST
    left, near = of(found, LEFT.name), of(found, RUNNER_UP.name)
    assert (left.standing, left.stretches) == (Standing.WORSE, {"sustained@14": 1})
    assert left.why_not.startswith("measured on 1 stretch at sustained@14: ")
    assert "good requests a second fewer at sustained@14" in left.why_not
    assert near.stretches == {"sustained@6": 2, "sustained@14": 3}
    assert near.standing is Standing.CANT_TELL
    assert near.further_s is not None
    assert near.further_s >= 2 * 65.0
    assert "more would tell" in near.why_not
    assert not any(LEFT.name in doubt for doubt in found.doubts)


def test_the_numbers_come_from_arrivals_that_took_no_part_in_the_choice(
    race: Path, found: Recommendation
) -> None:
    """Two blocks at each load confirmed it: goodput and attainment are theirs."""
    assert [(at.load, at.stretches, at.confirmed) for at in found.loads] == [
        ("sustained@14", 2, True),
        ("sustained@6", 2, True),
    ]
    confirming = [
        cell.trace(SLO.parse(TEXT)).goodput_per_s
        for cell in finished_cells(race)
        if cell.purpose == "validation" and cell.rate_per_s == HEAVY
    ]
    assert found.goodput_per_s.value == pytest.approx(sum(confirming) / 2)


def test_the_rates_that_were_searched_say_where_it_breaks(found: Recommendation) -> None:
    """Loads at 6 and 14/s alone cannot: 9 and 12/s were measured for that."""
    capacity = found.capacity
    assert capacity is not None
    assert capacity.low_per_s is not None
    assert capacity.high_per_s is not None
    assert LIGHT < capacity.low_per_s < 9.0 < capacity.high_per_s < HEAVY


def test_above_its_capacity_the_cells_that_confirm_say_what_happens(found: Recommendation) -> None:
    """The highest load is 1.5 times what it takes: what is kept, and what is shed."""
    above = found.overload
    assert above is not None
    assert above.load_ratio > 1.3
    assert 0.5 < above.kept_ratio <= 1.1
    assert 0.0 < above.shed_ratio < 0.5
    light, heavy = (next(at for at in found.loads if at.rate_per_s == rate) for rate in (LIGHT, HEAVY))
    assert light.speed_margin is not None
    assert light.speed_margin.attainment == pytest.approx(light.attainment, abs=0.03)
    assert light.speed_margin.objective
    assert heavy.speed_margin is not None
    assert not heavy.speed_margin.objective


def test_neighbours_take_what_was_measured_of_them_anyway(found: Recommendation) -> None:
    """The runner-up differs in its slots alone; nothing was searched for it."""
    near = of(found, RUNNER_UP.name)
    assert near.capacity is not None
    assert near.current is False
    assert in_short(near.capacity).startswith("takes ")


def test_a_slower_machine_in_one_cell_does_not_lower_the_capacity(race: Path, tmp_path: Path) -> None:
    """Where the engine took 8 % longer, its load counts as 8 % denser and times may be 8 % longer."""
    run = tmp_path / "run"
    shutil.copytree(race, run)
    before = recommend(run, SLO.parse(TEXT)).capacity
    for cell in finished_cells(run):
        slow = 1.08 if cell.purpose == "capacity" else 1.0
        codec.write(cell.path / "summary.json", replace(cell.summary, speed=_speed(cell.id, slow)))
    after = recommend(run, SLO.parse(TEXT)).capacity
    assert before is not None
    assert after is not None
    assert before.value_per_s is not None
    assert after.value_per_s is not None
    assert after.value_per_s > 1.02 * before.value_per_s


def test_settings_that_met_no_common_arrivals_are_not_compared(tmp_path: Path) -> None:
    """The reason is said, and it stands in doubt: it may be the better one."""
    measured = {
        RUNNER_UP: Measured({LIGHT: (4,), HEAVY: (4,)}, {}),
        BEST: Measured({LIGHT: (0, 1, 2), HEAVY: (0, 1, 2)}, {}),
    }
    found = recommend(race_on_disk.write(tmp_path / "run", measured), SLO.parse(TEXT))
    assert found.setting == BEST
    other = of(found, RUNNER_UP.name)
    assert other.standing is Standing.NOT_COMPARED
    assert "not compared" in other.why_not


def test_luck_with_the_arrivals_is_no_merit(tmp_path: Path) -> None:
    """A setting measured on nothing but the block with the most goodput has the higher mean, and is the worse
    one on the same arrivals.
    """
    lucky = {BEST: Measured({HEAVY: (0, 1, 2, 3, 4)}, {}), RUNNER_UP: Measured({HEAVY: (1,)}, {})}
    run = race_on_disk.write(tmp_path / "run", lucky)
    slo = SLO.parse(TEXT)
    mean = dict.fromkeys(lucky, 0.0)
    for cell in matrix_cells(run):
        mean[cell.setting] += cell.trace(slo).goodput_per_s / len(lucky[cell.setting].to_choose[HEAVY])
    assert mean[RUNNER_UP] > mean[BEST]
    found = recommend(run, slo)
    assert found.setting == BEST
    assert found.worst_regret == 0.0
    assert of(found, RUNNER_UP.name).worst_regret > 0.02
    assert of(found, RUNNER_UP.name).goodput_per_s.value < found.goodput_per_s.value


@pytest.mark.parametrize("which", [RUNNER_UP, BEST])
def test_todays_setting_has_a_line_of_its_own(race: Path, tmp_path: Path, which: Setting) -> None:
    """Where it was in the run and another one is recommended."""
    run = tmp_path / "run"
    shutil.copytree(race, run)
    design: dict[str, JsonValue] = {"current": dict(which.limits.values())}
    codec.write(run / "run.json", replace(read_run(run), spec={"design": design}))
    found = recommend(run, SLO.parse(TEXT))
    said = show(found, run / "recommended.env")
    assert [one.name for one in found.neighbours if one.current] == [RUNNER_UP.name] * (which == RUNNER_UP)
    assert (f"Today's setting ({RUNNER_UP.name}) takes about" in said) == (which == RUNNER_UP)


def test_an_older_recommendation_without_margin_and_overload_is_read(race: Path, tmp_path: Path) -> None:
    """What it does not tell is not said."""
    stored = json.loads((race / "recommendation.json").read_text())
    del stored["overload"]
    for at in stored["loads"]:
        del at["speed_margin"]
    for one in stored["neighbours"]:
        del one["capacity"], one["current"]
    (tmp_path / "recommendation.json").write_text(json.dumps(stored))
    found, problems = codec.read_tolerantly(Recommendation, tmp_path / "recommendation.json", dict)
    assert found is not None
    assert problems == []
    assert "slower" not in show(found, tmp_path / "recommended.env")


def test_what_a_race_confirmed_is_what_is_recommended(race: Path, tmp_path: Path) -> None:
    """Judged by the objective it was run for; under another one the cells are judged anew."""
    run = tmp_path / "run"
    shutil.copytree(race, run)
    _tell(run, (BEST, RUNNER_UP, LEFT), RUNNER_UP)
    slo = SLO.parse(TEXT)
    assert recommend(run, slo).setting == RUNNER_UP
    assert recommend(run, slo.scaled(1.001)).setting == BEST


def test_one_answer_counts_the_settings_in_one_way(tmp_path: Path) -> None:
    """Where the race's winner was not measured at every load, the choice is made without the race; who is
    surely worse by the race is still not called inseparable in the next line.
    """
    near = Setting(replace(BEST.limits, max_active=7))
    every = {LIGHT: (0, 1, 2), HEAVY: (0, 1, 2)}
    measured = {LEFT: Measured({HEAVY: (0,)}, {}), near: Measured(every, {}), BEST: Measured(every, {})}
    run = race_on_disk.write(tmp_path / "run", measured)
    _tell(run, tuple(measured), LEFT)
    found = recommend(run, SLO.parse(TEXT))
    assert found.setting == BEST
    assert of(found, near.name).standing is Standing.WORSE
    assert found.inseparable == ()
    assert "cannot tell" not in found.why


def test_who_is_lower_after_a_single_stretch_is_called_probably_worse(tmp_path: Path) -> None:
    """A stretch is too little for "surely"; but nobody with at most 90 % of the best score is called
    inseparable from it.
    """
    lower = Setting(replace(BEST.limits, max_active=7))
    every = {LIGHT: (0, 1, 2), HEAVY: (0, 1, 2)}
    measured = {lower: Measured({LIGHT: (0,), HEAVY: (0,)}, {}), BEST: Measured(every, {})}
    run = race_on_disk.write(tmp_path / "run", measured)
    _tell(run, tuple(measured), BEST)
    found = recommend(run, SLO.parse(TEXT))
    other = of(found, lower.name)
    assert other.standing is Standing.PROBABLY_WORSE
    assert "of the best one's" in other.why_not
    assert found.inseparable == ()
    assert "cannot tell" not in found.why
    said = show(found, run / "recommended.env")
    assert f"Probably worse, but measured too little to be sure: {lower.name}." in said
    assert "Not told apart" not in said
    assert not any(lower.name in doubt for doubt in found.doubts)


def test_a_winner_whose_generator_was_late_is_still_the_winner(tmp_path: Path) -> None:
    """All of its cells at a load sent a millisecond too late. The race took them after a second try, for want
    of better ones, and so does the answer, and says so; another setting is not best for want of a rival.
    """
    every = {LIGHT: (0, 1, 2), HEAVY: (0, 1, 2)}
    measured = {LEFT: Measured(every, {}), BEST: Measured(every, {})}
    run = race_on_disk.write(tmp_path / "run", measured)
    _tell(run, tuple(measured), BEST)
    late = Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, "the load generator was too slow")
    for cell in matrix_cells(run):
        if cell.setting == BEST and cell.rate_per_s == LIGHT:
            codec.write(cell.path / "summary.json", replace(cell.summary, doubts=(late,)))
    found = recommend(run, SLO.parse(TEXT))
    assert found.setting == BEST
    assert of(found, LEFT.name).standing is Standing.WORSE
    (said,) = (doubt for doubt in found.doubts if doubt.startswith("PROVISIONAL"))
    assert f"late in every cell of {BEST.name} at sustained@6 " in said
    assert not any("left out" in doubt for doubt in found.doubts)


def _tell(run: Path, settings: Sequence[Setting], winner: Setting) -> None:
    """Writes the story of a race of the settings, and the objective that it was run for."""
    slo = SLO.parse(TEXT)
    own = Objective(str(slo), slo.ttft_s, slo.tpot_s, slo.e2e_s, slo.attainment, None)
    codec.write(run / "run.json", replace(read_run(run), slo=own))
    places = tuple(RacePlace(one, one.name, {}, None, None, None, 0.0, None, None) for one in settings)
    told = EngineRace(RaceEnd.BUDGET, 0.03, 0.9, winner.name, (), places)
    codec.write(run / "race.json", RaceStory((told,)))
