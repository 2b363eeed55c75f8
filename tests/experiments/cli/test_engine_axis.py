"""The engine's limits as an axis: one start for each value, blocks inside it, and what is refused."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.design.matrix import Matrix, build
from experiments.errors import UserError
from experiments.measure import engine_setup, grid
from experiments.run_folder import codec
from experiments.run_folder.folder import open_or_create
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import Limits
from tests.experiments import plain
from tests.experiments.design.test_cells import PROBE, SLO_1S

FLAGS = ("--max-num-seqs", "8,32", "--max-active", "2,4", "--queue-mode", "queue", "--blocks", "2")


def _built(*flags: str) -> Matrix:
    return build(sweep_args.parse((*FLAGS, *flags)).spec, PROBE, SLO_1S)


def test_an_engine_is_started_once_for_each_value() -> None:
    """Every cell of a value comes before the first of the next one; inside it, block by block."""
    built = _built()
    assert [knobs for knobs, _ in built.engines] == [EngineKnobs(8), EngineKnobs(32)]
    for knobs, cells in built.engines:
        assert {cell.setting.engine for cell in cells} == {knobs}
        assert [block for block, _ in itertools.groupby(cell.block for cell in cells)] == [0, 1]


def test_engine_values_meet_the_same_arrivals_in_orders_of_their_own() -> None:
    """A whole plot holds the same blocks as the others, so that they can be compared trace by trace."""
    built = _built()
    plans, orders = [], []
    for _, cells in built.engines:
        plans.append({(str(cell.load), cell.block, built.plan(cell).hash) for cell in cells})
        orders.append([(cell.setting.limits.max_active, str(cell.load)) for cell in cells])
    assert plans[0] == plans[1]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_the_value_is_in_the_name_and_in_what_is_stored_but_not_in_the_gateways_limits() -> None:
    """The gateway would refuse a key that is not its own."""
    setting = Setting(Limits(max_active=4, queue_max=10, queue_timeout_s=1.0)).on(EngineKnobs(8, None, 20))
    assert setting.name == "seqs8-reqs20-ma4-q10-t1s"
    assert setting.to_json() == setting.limits.values() | {"max_num_seqs": 8, "max_num_queued_reqs": 20}
    assert "max_num_seqs" not in setting.limits.values()
    assert Setting.from_json(setting.to_json()) == setting


def test_a_killed_sweep_goes_on_with_the_engine_value_it_was_at(tmp_path: Path) -> None:
    """Cells that were measured are left out, in the order that was drawn; a value with none left needs no
    start."""
    options = sweep_args.parse((*FLAGS, "--out", str(tmp_path / "run")))
    run, _ = open_or_create(tmp_path, options.out, options.spec, ("test",))
    assert engine_setup.planned(options, run) is None
    run.save(replace(run.state, probe=PROBE, slo=plain.objective(str(SLO_1S))))
    plan = engine_setup.planned(options, run)
    assert plan is not None
    (first, cells), (second, others) = plan.engines
    for cell in (*cells, others[0]):
        codec.write(run.begin_cell(cell.id) / "summary.json", plain.summary(cell.id, cell.setting))
        run.finish_cell(cell.id, {})
    run.close()
    again, resumed = open_or_create(tmp_path, options.out, options.spec, ("test",))
    same = engine_setup.planned(options, again)
    assert resumed
    assert same is not None
    assert same.cells == plan.cells
    assert grid.to_do(same, again, first) == []
    assert grid.to_do(same, again, second) == list(others[1:])
    again.close()


def test_another_engine_value_is_another_run(tmp_path: Path) -> None:
    """The refusal names the key."""
    options = sweep_args.parse(FLAGS)
    open_or_create(tmp_path, tmp_path / "a", options.spec, ("test",))[0].close()
    other = sweep_args.parse((*FLAGS, "--max-num-batched-tokens", "512")).spec
    with pytest.raises(UserError, match=r"changed: engine\.max_num_batched_tokens"):
        open_or_create(tmp_path, tmp_path / "a", other, ("test",))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--engine-url", "http://box:8000"), "an engine that is already running cannot be started anew"),
        (("--gateway-url", "http://box:8080", "--model", "m"), "cannot be started anew"),
        (("--engine", "compose"), "cannot be started anew"),
        (("--max-num-batched-tokens", "16"), "max_num_batched_tokens=16 is below max_num_seqs=32"),
        (("--max-num-queued-reqs", ""), "--max-num-queued-reqs is an empty list"),
        (("--max-num-queued-reqs", "0"), "engine.max_num_queued_reqs.0 = '0'"),
    ],
)
def test_what_no_engine_can_do_is_the_users_mistake(flags: tuple[str, ...], said: str) -> None:
    """One sentence, before anything starts."""
    with pytest.raises(UserError) as caught:
        sweep_args.parse((*FLAGS, *flags))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_axis_can_stand_in_the_file(tmp_path: Path) -> None:
    """A single value is a list of one."""
    spec = tmp_path / "spec.toml"
    spec.write_text("[engine]\nmax_num_seqs = [8, 32]\nmax_num_queued_reqs = 64\n")
    found = sweep_args.parse(("--spec", str(spec))).spec.engine.values()
    assert found == (EngineKnobs(8, None, 64), EngineKnobs(32, None, 64))


def test_each_further_start_costs_its_time() -> None:
    """Two values: one start beside the first."""
    spec = sweep_args.parse(FLAGS).spec
    with_starts = build(spec, PROBE, SLO_1S, engine_start_s=200.0)
    assert with_starts.expected_s == pytest.approx(_built().expected_s + 200.0)
