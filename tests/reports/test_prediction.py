"""What the model foretold, beside what was measured."""

import json
from pathlib import Path

import pytest

from reports import page, tables
from reports.prediction import prediction
from reports.run import Run, load
from tests.reports import reading
from tests.reports.reading import Element
from tests.reports.synthetic_prediction import write_prediction
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


def test_coverage_cost_and_the_predicted_matrix_are_told(html: str, run_dir: Path) -> None:
    """How many values lay inside, what the engine's time was spent on, and what else was foretold."""
    told = json.loads((run_dir / "predicted.json").read_text())
    section = reading.by_id(reading.read(html), "predictions")
    coverage = told["coverage"]
    assert f"{coverage['inside']} of {coverage['of']} scored values" in section.text
    assert "92.0 s" in section.text
    assert "14.0 min" in section.text
    assert "11.0 %" in section.text
    assert "held-out p95 within 8 %" in section.text
    matrix = reading.by_id(section, "table-foretold")
    assert len(matrix.all("tbody")[0].all("tr")) == len(told["matrix"])
    assert "Goodput at sustained@0.7x" in matrix.text


def test_without_a_prediction_there_is_no_section(small: Path) -> None:
    """A plain sweep foretells nothing."""
    html = page.render(load(small))
    assert 'id="predictions"' not in html
    assert "#predictions" not in html


def test_a_refused_model_is_said_first(small: Path) -> None:
    """The gate failed and the matrix was measured instead: a fallback, its reason, and no figure."""
    gate = {"gate": {"passed": False, "why": "held-out p95 off by 40 %"}}
    write_prediction(small, cells=[], matrix=[], fallback="the model was refused", model=gate)
    found = prediction(load(small))
    assert found is not None
    assert found.warnings == ["Fallback: the model was refused."]
    assert (found.drawing, found.errors, found.matrix) == (None, None, None)
    assert "nothing to compare" in _section(small).text


def test_a_second_calibration_is_stated(small: Path) -> None:
    """With its reason."""
    write_prediction(small, recalibrated=True, recalibration="3 of 5 cells left their intervals")
    found = prediction(load(small))
    assert found is not None
    why = "The model was calibrated again after the first cells: 3 of 5 cells left their intervals."
    assert found.warnings == [why]


def test_values_may_be_null(small: Path) -> None:
    """A measure that could not be told, or measured, is a dash: never zero, never an error."""
    told = write_prediction(small)
    for cell in told["cells"]:
        for one in cell["metrics"].values():
            one.update(dict.fromkeys(one, None))
    write_json(small / "predicted.json", told | {"cost": None, "coverage": {"level": None}, "matrix": [{}]})
    table = reading.by_id(_section(small), "table-errors")
    assert {td.text for tr in table.all("tbody")[0].all("tr") for td in tr.all("td")[2:]} == {"–"}


def test_an_unmeasured_load_of_the_answer_is_called_predicted(small: Path) -> None:
    """The chosen setting was verified at one load; its value at another is the model's."""
    told = json.loads((small / "recommendation.json").read_text())
    told["loads"].append(told["loads"][0] | {"load": "burst@1.2x", "rate_per_s": 20.0, "measured": False})
    write_json(small / "recommendation.json", told)
    lines = reading.by_id(reading.read(page.render(load(small))), "answer").all("table")[0].all("tr")
    assert ["predicted" in line.text for line in lines] == [False, False, True]
