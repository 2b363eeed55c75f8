"""A cell whose window began before its warm-up was over."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from experiments.design import matrix
from experiments.design.matrix import Matrix
from experiments.design.probe import ASSUMED
from experiments.measure import run_cells
from experiments.measure.steadiness import began_early
from experiments.run_folder.cell_summary import CellSummary
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stats import steady_state
from loadtests.slo import SLO
from tests.reports.synthetic_run import LOADS, SETTINGS, plan_of, write_cell

SPEC = SweepSpec.model_validate(
    {"gateway": {"max_active": [8, 16]}, "load": {"loads": ["sustained@0.7x", "sustained@1.2x"]}}
)
BUILT = matrix.build(SPEC, ASSUMED, SLO(ttft_s=1.0))


def _latencies(transient: int) -> steady_state.SteadyState:
    """Of 200 requests, the first `transient` of which found the system filling."""
    rng = np.random.default_rng(5)
    values = 1.0 + 0.05 * rng.standard_normal(200)
    values[:transient] -= 0.3
    due_s = np.linspace(0.0, 20.0, 200)
    return steady_state.judge(values, due_s, np.empty(0), stationary_load=True, bounded=True)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> CellSummary:
    """Of some cell."""
    cell = replace(BUILT.cells[0], setting=SETTINGS[0], load=LOADS[0])
    return write_cell(tmp_path_factory.mktemp("run"), cell, plan_of(LOADS[0], 2.0, 10.0, 1))


@pytest.mark.parametrize(("transient", "early"), [(0, False), (20, True), (60, True)])
def test_a_transient_at_the_begin_of_the_window_is_seen(
    transient: int, early: bool, summary: CellSummary
) -> None:
    """Whether it is a tenth of the requests or a third; a window without any is in order."""
    assert began_early(replace(summary, steady_state=_latencies(transient))) is early
    assert not began_early(replace(summary, steady_state=None))


def test_only_those_cells_are_measured_again_and_with_their_whole_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once: what comes of the second time stands, whatever it is."""
    one, two, *others = BUILT.cells
    tries: list[tuple[list[Any], bool]] = []
    repeated: list[str] = []

    def in_order(cells: Any, planned: Matrix, *rest: Any) -> Any:
        tries.append((list(cells), planned.in_full))
        return ([], [one, two], [two]) if len(tries) == 1 else ([], [two], [two])

    monkeypatch.setattr(run_cells, "_in_order", in_order)
    run = SimpleNamespace(repeat_cell=lambda cell, why: repeated.append(cell))
    rest = cast(Any, (SimpleNamespace(run=run), None, SimpleNamespace(say=lambda said: None)))
    failed, invalid = run_cells.run_cells([one, two, *others], BUILT, *rest)
    assert tries == [([one, two, *others], False), ([two], True)]
    assert repeated == [two.id]
    assert (failed, invalid) == ([], [one, two])


def test_a_cell_begins_its_plan_as_late_as_it_has_settled() -> None:
    """The measured arrivals of a load are the same for all; what was asked for, and an engine that was not
    probed, is left alone."""
    for cell in BUILT.cells:
        drawn, played = BUILT.plan(cell), BUILT.played(cell)
        assert played.header.warm_up_s <= drawn.header.warm_up_s
        assert [a.prompt_seed for a in played.arrivals if a.phase == "measure"] == [
            a.prompt_seed for a in drawn.arrivals if a.phase == "measure"
        ]
    shortened = [cell for cell in BUILT.cells if BUILT.played(cell) != BUILT.plan(cell)]
    assert {str(cell.load) for cell in shortened} >= {"sustained@0.7x"}
    window = SPEC.window.model_copy(update={"warm_up_s": 2.0})
    asked = matrix.build(SPEC.model_copy(update={"window": window}), ASSUMED, SLO(ttft_s=1.0))
    other = EngineKnobs(max_num_seqs=3)
    for cell in shortened:
        assert replace(BUILT, in_full=True).played(cell) == BUILT.plan(cell)
        assert asked.played(cell) == asked.plan(cell)
        elsewhere = replace(cell, setting=cell.setting.on(other))
        assert BUILT.played(elsewhere) == BUILT.plan(elsewhere)
