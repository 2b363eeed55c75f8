"""Predicted beside measured, on runs whose engine is the twin itself."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.calibration import errors
from experiments.calibration.blind import errors_of, predict_blind
from experiments.calibration.calibrated import FittedEngine, read, with_values
from experiments.calibration.compared import compare, repeats, scored, table
from experiments.calibration.from_run import calibrate_from, rows_of_alone
from experiments.calibration.measured_cells import read_run
from experiments.calibration.read_back import DRAW_NAMES
from experiments.run_folder import record_table
from experiments.twin.profile import TINY_CPU, slower
from loadtests.slo import SLO
from tests.experiments.tuning.virtual_run import SLO_TEXT, write_run

ENGINE = TINY_CPU.model_copy(update={"egress_s": 0.001, "arrival_work_s": 0.003, "end_work_s": 0.001})
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "vllm-cpu"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six cells, from light load to more than the cell can serve."""
    return write_run(tmp_path / "run", ENGINE, (2, 8), (3.0, 6.0, 9.0), monkeypatch)


def test_the_engine_itself_is_predicted_without_error(run: Path) -> None:
    """Every metric of every cell, to the rounding of the records, and the engine's speed as 1."""
    cells = read_run(run).cells
    compared = compare(cells, ENGINE, [ENGINE], SLO.parse(SLO_TEXT), 0.0)
    assert len(compared) == 6
    for cell in compared:
        assert cell.speed == pytest.approx(1, abs=2e-3)
        for name, metric in cell.metrics.items():
            if metric.error is not None:
                assert metric.error == pytest.approx(0, abs=1e-3), (cell.cell, name)


def test_a_slow_machine_is_noise_and_not_the_models_error(run: Path) -> None:
    """A model that is 5 % too fast is wrong, but right once the cell's own speed is put in; intervals that
    allow for the speed hold what was measured.
    """
    cells = read_run(run).cells
    model = FittedEngine(slower(ENGINE, 1 / 1.05), (slower(ENGINE, 1 / 1.05),), 0.05)
    compared = compare(cells, model.profile, model.samples(40), SLO.parse(SLO_TEXT), 0.0)
    assert all(cell.speed == pytest.approx(1.05, rel=3e-3) for cell in compared)
    for name in ("ttft_s_p95", "tpot_s_p95", "e2e_s_p95"):
        counted = scored(compared, name)
        assert len(counted) >= 2
        assert statistics.median(metric.error or 0 for metric in counted) < -0.02
        assert all(abs(metric.model_error or 0) < 5e-3 for metric in counted)
        assert all(metric.inside for metric in counted)
    row = table(compared)["e2e_s_p95"]
    assert (row.median or 0) > 10 * (row.model_median or 0)


def test_a_slow_machine_is_known_from_other_seconds_too(run: Path) -> None:
    """The same model that is 5 % too fast, at the speed of the stretches that a request was not due in."""
    cells = read_run(run).cells
    fast = slower(ENGINE, 1 / 1.05)
    found = predict_blind(cells, fast, [fast] * 5, SLO.parse(SLO_TEXT), 0.0)
    for cell in found:
        assert cell.speed == pytest.approx((1.05, 1.05), rel=6e-3)
        for name in ("tpot_s_p95", "e2e_s_p95"):
            error = cell.metrics[name].error
            assert error is None or abs(error) < 0.01
            assert cell.metrics[name].inside == (error is not None)
    rows = errors_of(found)
    assert rows["e2e_s_p95"].n >= 4
    assert rows["e2e_s_p95"].inside == rows["e2e_s_p95"].n


def test_a_cell_s_own_seconds_take_no_part_in_its_blind_prediction(run: Path) -> None:
    """Were every chunk of the even stretches late, what was due in them would be predicted as before."""
    cell = max(read_run(run).cells, key=lambda cell: len(cell.answers))
    late = [
        replace(answer, times_s=tuple(t + 0.2 * (t - answer.times_s[0]) for t in answer.times_s))
        if answer.sent_s % 10 < 4
        else answer
        for answer in cell.answers
    ]
    before, after = (
        predict_blind([one], ENGINE, [], SLO.parse(SLO_TEXT), 0.0)[0]
        for one in (cell, replace(cell, answers=tuple(late)))
    )
    assert after.speed[0] > 1.02 * before.speed[0]
    assert after.speed[1] == pytest.approx(before.speed[1], rel=0.02)


def test_repeats_are_the_same_plan_under_the_same_setting(run: Path) -> None:
    """Two measurements of a cell are one pair; different cells are none."""
    cells = read_run(run).cells
    once = compare(cells, ENGINE, [], SLO.parse(SLO_TEXT), 0.0)
    assert repeats(once)["e2e_s_p95"] == []
    slow = [replace(cell, attainment=1.1 * (cell.attainment or 0)) for cell in cells]
    again = compare(slow, ENGINE, [], SLO.parse(SLO_TEXT), 0.0)
    apart = repeats([*once, *again])["attainment"]
    assert apart == pytest.approx([1 - 1 / 1.1] * len(apart))
    assert len(apart) >= 4


def test_a_run_calibrates_the_model_that_made_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the records alone the parameters come back, the gate is passed, and `errors` reads what was
    written.
    """
    result = calibrate_from(run)
    assert result.gate.passed, result.gate.why
    profile = result.profile
    assert profile.base_s == pytest.approx(ENGINE.base_s, rel=0.02)
    assert profile.arrival_work_s == pytest.approx(ENGINE.arrival_work_s, rel=0.15)
    assert profile.per_token_s == pytest.approx(ENGINE.per_token_s, rel=0.05)
    model = run / "calibration"
    model.mkdir()
    result.write(model)
    assert read(model).draws[0].base_s == pytest.approx(ENGINE.base_s, rel=0.02)
    assert errors.main([str(run), "--model", str(model), "--draws", "5"]) == 0
    written = json.loads((run / "errors.json").read_text())
    assert len(written["cells"]) == 6
    assert written["table"]["e2e_s_p95"]["median"] < 0.03
    assert written["blind_table"]["e2e_s_p95"]["median"] < 0.03
    shown = capsys.readouterr().out
    assert "inside the 90% interval" in shown
    assert "at the speed index of other seconds" in shown.replace("\n", " ")


def test_the_example_run_on_real_vllm_calibrates_a_model_that_passes() -> None:
    """The cells of the example that are not fitted come out as predicted, and what the API server takes from
    the engine on the shared core is there.
    """
    result = calibrate_from(EXAMPLE)
    assert result.gate.passed, result.gate.why
    assert result.fit.fit.low["arrival_work_s"] > 0.001


def test_prompts_that_met_an_idle_engine(run: Path) -> None:
    """They take the ingest delay and one step over their prompt, exactly."""
    cells = read_run(run).cells
    rows = [row for cell in cells for row in rows_of_alone(cell.answers)]
    assert len(rows) > 10
    for row in rows:
        step_s = ENGINE.step_time.duration_s(0, int(row.prompt), int(row.prompt))
        assert row.seconds == pytest.approx(ENGINE.ingest_s + ENGINE.egress_s + step_s, abs=1e-4)


def test_the_twin_plays_the_lengths_that_were_reported(run: Path) -> None:
    """An engine that ends its answers after 3 tokens is played with 3; requests that it never saw are
    shorter, too."""
    before = read_run(run).cells[0]
    folder = run / "cells" / before.id
    short = [replace(r, output_tokens=3 if r.outcome == "ok" else None) for r in before.records]
    (folder / "records.jsonl").write_bytes(b"".join(record.to_json() + b"\n" for record in short))
    record_table.convert(folder)
    after = read_run(run).cells[0]
    assert after.plan == before.plan
    seen = {record.i for record in short if record.output_tokens == 3}
    for i, (arrival, planned) in enumerate(zip(after.arrivals, after.plan.arrivals, strict=True)):
        assert arrival.output_tokens == 3 if i in seen else arrival.output_tokens < planned.output_tokens
        assert after.plan_as_counted.arrivals[i].output_tokens == arrival.output_tokens


def test_other_objectives_judge_the_same_requests(run: Path) -> None:
    """Goodput and attainment follow the objective; where nothing meets it, what was foretold is the error."""
    cells = read_run(run).cells
    strict = SLO.parse("ttft<=1ms")
    compared = compare([cell.judged(strict) for cell in cells], ENGINE, [], strict, 0.0)
    assert all(cell.metrics["goodput_per_s"].measured == 0 for cell in compared)
    assert all(cell.metrics["goodput_per_s"].error == 0 for cell in compared)
    wrong = compare([cell.judged(strict) for cell in cells], ENGINE, [], SLO.parse(SLO_TEXT), 0.0)
    assert max(cell.metrics["goodput_per_s"].error or 0 for cell in wrong) > 0.5
    loose = SLO.parse("ttft<=20s")
    for cell in (cell.judged(loose) for cell in cells):
        assert cell.attainment == pytest.approx(
            sum(r.outcome == "ok" for r in cell.records if r.phase == "measure")
            / sum(r.phase == "measure" for r in cell.records)
        )


def test_draws_keep_their_names() -> None:
    """The time outside the steps is the profile's ingest."""
    values = dict.fromkeys(DRAW_NAMES, 0.5)
    assert with_values(ENGINE, values).ingest_s == 0.5
