"""How a race's time is shared out, and what the dry run says of it."""

import pytest

from experiments.cli import sweep_args
from experiments.design.matrix import build
from experiments.errors import UserError
from experiments.racing.plan import CONFIRMING, RacePlan, dry_run, in_stretches, one_block, race_plan
from tests.experiments.design.test_cells import PROBE, SLO_1S

FLAGS = ("--engine", "emulator", "--max-active", "2,8,16", "--queue-mode", "queue,reject")


def plan(*flags: str, engines: int = 1) -> RacePlan:
    spec = sweep_args.parse((*FLAGS, *flags)).spec
    whole = build(one_block(spec), PROBE, SLO_1S)
    return race_plan(spec, whole, build(in_stretches(one_block(spec)), PROBE, SLO_1S), engines)


def test_a_stretch_is_shorter_than_a_cell_whose_numbers_are_published() -> None:
    """A race needs no p95."""
    found = plan()
    for load, phases in found.confirming.phases.items():
        assert found.stretches.phases[load].measure_s < phases.measure_s
    assert len(found.settings) == 6
    assert {cell.block for cell in found.stretches.cells} == {0}
    assert CONFIRMING > 999


def test_without_a_budget_the_race_may_take_as_long_as_the_grid() -> None:
    """`--blocks` times."""
    found = plan()
    grid_s = sum(found.confirming.phases[cell.load].expected_s for cell in found.confirming.cells)
    assert found.race_s == pytest.approx(grid_s)
    assert plan("--blocks", "3").race_s == pytest.approx(3 * grid_s)


def test_a_budget_holds_race_confirmation_and_search() -> None:
    """Shared by the starts of the engine."""
    found = plan("--budget", "20m")
    assert found.race_s + found.confirm_s + found.search_s == pytest.approx(1200)
    assert plan("--budget", "20m", engines=2).race_s < 0.6 * found.race_s


def test_of_a_small_budget_most_is_for_the_race() -> None:
    """What is confirmed must have been chosen first; the search comes last."""
    found = plan("--budget", "60s")
    assert found.race_s >= 0.6 * 60
    assert found.search_s == 0.0


def test_the_dry_run_names_every_setting_and_how_long_it_takes() -> None:
    """Nothing is started for it."""
    said = dry_run(sweep_args.parse((*FLAGS, "--max-num-seqs", "8,16")).spec)
    assert said.startswith("a race of 6 settings:\n")
    for name in ("ma2-q100-t", "ma16-reject"):
        assert name in said
    assert "on each of 2 starts of the engine" in said
    assert "--design grid measures every cell instead" in said


def test_a_budget_is_no_business_of_a_grid() -> None:
    """It would end in the middle of a block."""
    with pytest.raises(UserError, match="--budget goes with --design race"):
        sweep_args.parse((*FLAGS, "--design", "grid", "--budget", "20m"))
