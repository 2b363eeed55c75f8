"""What the model predicted, beside what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.run_folder import codec
from experiments.run_folder.prediction import ModelGate, Prediction
from experiments.run_folder.recommendation import Recommendation
from reports import page, tables
from reports.prediction import PredictionSection, prediction_section
from reports.run import Run, load
from tests.reports import reading
from tests.reports.reading import Element
from tests.reports.synthetic_prediction import write_prediction, write_refusal
from tests.reports.synthetic_run import LOADS, SETTINGS, write_json, write_run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One cell."""
    return write_run(tmp_path / "r", settings=SETTINGS[:1], loads=LOADS[:1], measure_s=6)


def _section(run: Path) -> Element:
    return reading.by_id(reading.read(page.render(load(run))), "predictions")


def test_every_error_is_that_of_the_file(html: str, run: Run, run_dir: Path) -> None:
    """Predicted, measured, the signed error and both of its parts, exactly, for each cell and measure."""
    told = json.loads((run_dir / "predicted.json").read_text())
    rows = iter(reading.by_id(reading.read(html), "table-errors").all("tbody")[0].all("tr"))
    for cell in told["cells"]:
        for name, one in cell["metrics"].items():
            entries = next(rows).all("td")
            assert entries[0].all("a")[0].attributes["href"] == "#" + tables.anchor(cell["cell"])
            shown = [td.attributes.get("data-v") for td in entries[1:7]]
            keys = ("predicted", "measured", "error", "model_error", "noise")
            assert shown == [name, *(None if one[key] is None else str(one[key]) for key in keys)]
    assert next(rows, None) is None
    assert len(run.predicted) == 12 * 5


def test_coverage_cost_and_the_predicted_matrix_are_told(html: str, run: Run) -> None:
    """How many values lay inside, what the engine's time was spent on, and what else was predicted."""
    prediction = run.prediction
    assert prediction is not None
    section = reading.by_id(reading.read(html), "predictions")
    coverage = prediction.coverage
    assert f"{coverage.inside} of {coverage.of} scored values" in section.text
    assert "92.0 s" in section.text
    assert "14.0 min" in section.text
    assert "11.0 %" in section.text
    assert "held-out p95 within 8 %" in section.text
    matrix = reading.by_id(section, "table-predicted-matrix")
    assert len(matrix.all("tbody")[0].all("tr")) == len(prediction.matrix)
    assert "Goodput at sustained@0.7x" in matrix.text


def test_without_a_prediction_there_is_no_section(small: Path) -> None:
    """A plain sweep predicts nothing."""
    html = page.render(load(small))
    assert 'id="predictions"' not in html
    assert "#predictions" not in html


def _found(run: Path) -> PredictionSection:
    section = prediction_section(load(run))
    assert section is not None
    return section


def test_a_refused_model_is_said_first(small: Path) -> None:
    """The gate failed and the matrix was measured instead: a fallback, its reason, and no figure."""
    write_refusal(small, "the model was refused", ModelGate(False, "held-out p95 off by 40 %"))
    section = _found(small)
    assert section.warnings == ["Fallback: the model was refused."]
    assert (section.drawing, section.errors, section.matrix) == (None, None, None)
    assert "nothing to compare" in _section(small).text


@pytest.mark.parametrize(
    ("passed", "tried"), [(False, "was not passed: off by 40 %."), (None, "was not tried: off by 40 %.")]
)
def test_a_gate_that_was_not_passed_is_said(small: Path, passed: bool | None, tried: str) -> None:
    """Without a fallback too: the predictions rest on it."""
    prediction = write_prediction(small)
    model = replace(prediction.model, gate=ModelGate(passed, "off by 40 %"))
    _rewrite(small, replace(prediction, model=model))
    assert _found(small).warnings == [f"The model's gate {tried}"]


def test_a_second_calibration_is_stated(small: Path) -> None:
    """With its reason."""
    prediction = write_prediction(small)
    why = "3 of 5 cells left their intervals"
    _rewrite(small, replace(prediction, recalibrated=True, recalibration=why))
    assert _found(small).warnings == [f"The model was calibrated again after the first cells: {why}."]


def _rewrite(run: Path, prediction: Prediction) -> None:
    codec.write(run / "predicted.json", prediction)


def test_values_may_be_null(small: Path) -> None:
    """A measure that could not be told, or measured, is a dash: never zero, never an error."""
    told = codec.to_json(write_prediction(small))
    for cell in told["cells"]:
        for one in cell["metrics"].values():
            one.update(dict.fromkeys(one, None) | {"scored": False})
    write_json(small / "predicted.json", told)
    table = reading.by_id(_section(small), "table-errors")
    rows = [[td.text for td in tr.all("td")] for tr in table.all("tbody")[0].all("tr")]
    speed = [th.text for th in table.all("thead")[0].all("th")].index("Speed")
    assert {text for row in rows for place, text in enumerate(row) if place >= 2 and place != speed} == {"–"}
    assert "–" not in {row[speed] for row in rows}  # the cell's, known whatever its measures are


def test_a_prediction_without_its_cost_is_left_out_with_a_sentence(small: Path) -> None:
    """What must be there and is not makes the document unusable: said above the answer, no section."""
    told = codec.to_json(write_prediction(small))
    write_json(small / "predicted.json", told | {"cost": None, "coverage": {"level": None}})
    run = load(small)
    assert run.prediction is None
    assert "predicted.json is not of the expected form." in run.problems
    assert 'id="predictions"' not in page.render(run)


def test_an_unmeasured_load_of_the_answer_is_called_predicted(small: Path) -> None:
    """The chosen setting was verified at one load; its value at another is the model's."""
    recommended = codec.read(Recommendation, small / "recommendation.json")
    at = replace(recommended.loads[0], load="burst@1.2x", rate_per_s=20.0, measured=False)
    codec.write(small / "recommendation.json", replace(recommended, loads=(*recommended.loads, at)))
    lines = reading.by_id(reading.read(page.render(load(small))), "answer").all("table")[0].all("tr")
    assert ["predicted" in line.text for line in lines] == [False, False, True]
