"""The what-if of a run: its axes, what it leaves out, and that `predict` says the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import predict
from experiments.calibration import what_if
from experiments.calibration.what_if_axes import OF_CAPACITY, by_workload, settings_around, spread
from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.run_folder.what_if import WhatIf
from experiments.spec.setting import Setting
from experiments.spec.simulated_traces import SimulatedTraces
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import Limits, QueueMode
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.recording.lengths import ComparedLengths, LengthCheck
from loadtests.slo import SLO
from tests.experiments.calibration_on_disk import HELD_OUT, WHY, write_calibration
from tests.reports.synthetic_run import LOADS, SETTINGS, write_run

FEW = SimulatedTraces(count=3, measure_s=8.0, warm_up_s=2.0)
FLAGS = ("--traces", "3", "--seconds", "8", "--warm-up-s", "2")
MEASURED = SETTINGS[:4]  # 4 and 8 slots, each with a queue and without


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_calibration(tmp_path_factory.mktemp("calibration") / "tiny", passed=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight cells: four settings under two loads."""
    return write_run(tmp_path_factory.mktemp("runs") / "eight", settings=MEASURED, measure_s=8)


@pytest.fixture(scope="module")
def made(run: Path, calibration: Path) -> WhatIf:
    return what_if.what_if(run, calibration, FEW)


def _changed(run: Path, folder: Path, change: Callable[[CellSummary], CellSummary]) -> Path:
    """A copy of the run, without records, whose summaries were changed."""
    (folder / "cells").mkdir(parents=True)
    (folder / "run.json").write_bytes((run / "run.json").read_bytes())
    for cell in finished_cells(run):
        (folder / "cells" / cell.id).mkdir()
        codec.write(folder / "cells" / cell.id / "summary.json", change(cell.summary))
    return folder


def test_every_measured_cell_is_at_a_point(made: WhatIf, run: Path) -> None:
    """And every load holds the same settings: each MAX_ACTIVE with each way to wait."""
    points = [(load, point) for load in made.loads for point in load.points]
    at = {cell: (load, point.setting) for load, point in points for cell in point.cells}
    cells = finished_cells(run)
    assert len(cells) == len(MEASURED) * len(LOADS)
    for cell in cells:
        load, setting = at[cell.id]
        assert (setting.name, load.rate_per_s) == (cell.setting.name, cell.rate_per_s)
    settings = [point.setting for point in made.loads[0].points]
    assert all([point.setting for point in load.points] == settings for load in made.loads)
    slots = sorted({setting.limits.max_active for setting in settings})
    assert slots == [2, 4, 6, 8, 16]
    waits = {setting.limits.queue_timeout_s for setting in settings if setting.limits.room}
    assert waits == {0.2, 0.4, 0.8}
    assert len(settings) == len(slots) * (1 + len(waits))


def test_rates_lie_around_what_the_model_can_serve(made: WhatIf) -> None:
    """The measured ones are among them; the others are parts of the model's capacity, none beside another."""
    rates = [load.rate_per_s for load in made.loads]
    assert rates == sorted(rates)
    assert {load.rate_per_s for load in LOADS} < set(rates)
    assert len(rates) == len(OF_CAPACITY)
    assert all(b / a > 1.03 for a, b in itertools.pairwise(rates))
    assert {load.workload for load in made.loads} == {"64x24"}


def test_more_load_is_never_better(made: WhatIf) -> None:
    """Under each setting the attainment falls and the p95s rise with the load, within noise; intervals hold
    their means."""
    for points in zip(*(load.points for load in made.loads), strict=True):
        shares = [point.attainment.mean or 0.0 for point in points]
        assert shares[0] >= shares[-1]
        for point in points:
            for value in (point.attainment, point.goodput_per_s, point.e2e_p95_s):
                assert value.low is None or value.low <= (value.mean or 0.0) * 1.0001


def test_predict_says_the_same(made: WhatIf, calibration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the last digit in predictions.json, for three settings at two loads; and what is printed is that."""
    loads = [made.loads[at] for at in (0, -2)]
    queue, timeout_s = 8, 0.4
    words = ["--model", str(calibration), "--slo", made.slo, *FLAGS, "--workload", "64x24"]
    words += ["--load", ",".join(load.load for load in loads), "--max-active", "4,6,16"]
    words += ["--queue-mode", "queue", "--queue-max", str(queue), "--queue-timeout", str(timeout_s)]
    assert predict.main(words) == 0
    printed = capsys.readouterr().out
    stored = json.loads((calibration / "predictions.json").read_text())
    assert len(stored["cells"]) == 6
    for cell in stored["cells"]:
        (load,) = (load for load in loads if load.rate_per_s == cell["rate_per_s"])
        (point,) = (point for point in load.points if point.setting.to_json() == cell["setting"])
        for name in ("attainment", "goodput_per_s", "ttft_p95_s", "e2e_p95_s"):
            value = getattr(point, name)
            told = {"mean": value.mean, "low": value.low, "high": value.high}
            assert told == cell["expected"][name], (cell["load"], point.setting.name, name)
        assert f"{point.attainment.mean:.3g}" in printed


def test_the_command_writes_it_into_the_run(
    run: Path, calibration: Path, made: WhatIf, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--what-if RUN`, for a run that was measured without a calibration."""
    assert predict.main(["--model", str(calibration), "--what-if", str(run), *FLAGS]) == 0
    stored = codec.read(WhatIf, run / "what_if.json")
    assert replace(stored, took_s=0.0) == replace(made, took_s=0.0)
    assert f"{len(made.loads) * len(made.loads[0].points)} points" in capsys.readouterr().out


def test_errors_of_the_calibration_are_kept(made: WhatIf, calibration: Path) -> None:
    """How wrong the model was where it was not fitted, by metric, and its verdict."""
    assert made.held_out == {name: one.error for name, one in HELD_OUT.items()}
    assert (made.model.gate.passed, made.model.gate.why) == (True, WHY)
    assert made.calibration == str(calibration)


def test_a_refused_calibration_predicts_nothing(run: Path, tmp_path: Path) -> None:
    """Its gate's reason is the reason; at the end of a run that is a sentence, no fault."""
    refused = write_calibration(tmp_path / "refused", passed=False)
    with pytest.raises(UserError, match=r"refused.*off by \+40"):
        what_if.what_if(run, refused, FEW)
    assert what_if.kept_or_why_not(run, refused).startswith("no what-if: the calibration was refused")


def test_what_there_is_no_time_for_is_left_out(run: Path, calibration: Path) -> None:
    """Loads are whole or not there, the measured ones first; without one there is no what-if. Each reading of
    the clock is a second later than the one before."""
    whole = len(what_if.what_if(run, calibration, FEW, clock=lambda: 0.0).loads[0].points)
    ticks = itertools.count()
    limit_s = what_if.LIMIT_S
    step_s = limit_s / (2.5 * (whole + 1))
    found = what_if.what_if(run, calibration, FEW, clock=lambda: step_s * next(ticks))
    assert {load.rate_per_s for load in found.loads} == {load.rate_per_s for load in LOADS}
    assert len(found.dropped) == len(OF_CAPACITY) - len(LOADS)
    assert "no time was left for" in what_if.said(found)
    ticks = itertools.count()
    with pytest.raises(UserError, match="too short to play one load"):
        what_if.what_if(run, calibration, FEW, clock=lambda: limit_s / 3 * next(ticks))


def test_prompts_are_as_long_as_the_engine_counted_them(run: Path) -> None:
    """A chat template makes short prompts longer; where nothing is reported they are as planned."""
    check = LengthCheck(9, 9, 0, 64.0, 97.8, 64, 98)
    longer = ComparedLengths(9, check, replace(check, reported_mean=24.0), ())
    cells = finished_cells(run)
    counted = [replace(cell, summary=replace(cell.summary, lengths=longer)) for cell in cells]
    assert list(by_workload(counted)) == ["98x24"]
    silent = [replace(cell, summary=replace(cell.summary, lengths=None)) for cell in cells]
    assert list(by_workload(silent)) == ["64x24"]


def test_lengths_that_the_engine_chose_cannot_be_played(run: Path, calibration: Path, tmp_path: Path) -> None:
    """Planned ones are then only a bound."""

    def freely(summary: CellSummary) -> CellSummary:
        return replace(summary, workload=replace(summary.workload, answer_lengths=AnswerLengths.FREE))

    with pytest.raises(UserError, match="ended its answers itself"):
        what_if.what_if(_changed(run, tmp_path / "free", freely), calibration, FEW)


def test_one_calibration_is_of_one_engine(run: Path, calibration: Path, tmp_path: Path) -> None:
    """A run that varied the engine's own limits has several."""

    def started_with(summary: CellSummary) -> CellSummary:
        assert summary.setting is not None
        knobs = EngineKnobs(max_num_seqs=summary.setting.limits.max_active)
        return replace(summary, setting=summary.setting.on(knobs))

    with pytest.raises(UserError, match="varied its engine's own limits"):
        what_if.what_if(_changed(run, tmp_path / "varied", started_with), calibration, FEW)


def test_cells_that_only_watch_for_drift_make_no_axis(run: Path, calibration: Path, tmp_path: Path) -> None:
    """Nor does a run of nothing else have a what-if; a search for a rate adds no rate."""

    def sentinel(summary: CellSummary) -> CellSummary:
        return replace(summary, sentinel=True)

    def searching(summary: CellSummary) -> CellSummary:
        searched = summary.workload.rate_per_s == LOADS[1].rate_per_s
        purpose = CellPurpose.CAPACITY if searched else CellPurpose.MATRIX
        return replace(summary, workload=replace(summary.workload, purpose=purpose))

    with pytest.raises(UserError, match="no finished cell"):
        what_if.what_if(_changed(run, tmp_path / "sentinels", sentinel), calibration, FEW)
    found = what_if.what_if(_changed(run, tmp_path / "searched", searching), calibration, FEW)
    assert LOADS[0].rate_per_s in {load.rate_per_s for load in found.loads}
    assert LOADS[1].rate_per_s not in {load.rate_per_s for load in found.loads}


def test_the_queue_is_that_of_the_recommended_setting(run: Path) -> None:
    """What the axes do not vary; where it has none, that of the widest setting that queues, and where none
    does, waiting for the objective's TTFT is among the choices."""
    cells = finished_cells(run)
    slo = SLO.parse("ttft<=0.5s")

    def cell(limits: Limits) -> MeasuredCell:
        return replace(cells[0], setting=Setting(limits))

    long, short = Limits(max_active=8, queue_max=90), Limits(max_active=4, queue_max=3)
    refusing = Limits(max_active=2, queue_mode=QueueMode.REJECT)
    both = [cell(long), cell(short), cell(refusing)]

    def lengths(settings: list[Setting]) -> set[int]:
        return {one.limits.queue_max for one in settings if one.limits.room}

    assert lengths(settings_around(both, Setting(short), slo)) == {3}
    assert lengths(settings_around(both, Setting(refusing), slo)) == {90}
    none_queues = settings_around([cell(refusing)], Setting(refusing), slo)
    assert 0.5 in {one.limits.queue_timeout_s for one in none_queues if one.limits.room}


@pytest.mark.parametrize(
    ("own", "most", "expected"),
    [
        ([8, 2, 16], 7, [1, 2, 4, 8, 11, 16, 32]),
        ([4], 7, [2, 4, 8]),
        ([1], 7, [1, 2]),
        ([2, 4, 8, 16, 32, 64, 128], 7, [2, 4, 8, 16, 32, 64, 128]),
        ([2, 4, 8], 2, [2, 4, 8]),
        ([2, 32], 3, [2, 8, 32]),
    ],
)
def test_an_axis_reaches_beyond_what_was_measured(own: list[int], most: int, expected: list[int]) -> None:
    """The measured values, those between them, half and double: as many as are allowed."""
    found = spread(own, most, lambda x: max(1, round(x)))
    assert found == expected
