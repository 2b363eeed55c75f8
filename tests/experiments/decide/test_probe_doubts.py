"""A probe that was disturbed is told by the cells whose slots were full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.decide.probe_doubts import of_probe
from experiments.design.probe import Probe
from experiments.run_folder.measured_cell import MeasuredCell, matrix_cells
from experiments.run_folder.reading import read_run

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "vllm-cpu-standard"


@pytest.fixture(scope="module")
def measured() -> tuple[list[MeasuredCell], Probe]:
    """Real cells, some of them with all slots busy throughout, and the probe of their run."""
    probe = read_run(EXAMPLE).probe
    assert probe is not None
    return [cell for cell in matrix_cells(EXAMPLE) if "-1.2x-" in cell.id], probe


def scaled(probe: Probe, factor: float) -> Probe:
    """What it would have seen on an engine that much faster."""
    return replace(probe, steps=tuple((users, factor * rate) for users, rate in probe.steps))


def test_a_probe_that_agrees_with_the_cells_is_not_doubted(
    measured: tuple[list[MeasuredCell], Probe],
) -> None:
    cells, probe = measured
    assert of_probe(cells, probe) == []
    assert of_probe(cells, None) == []


def test_a_probe_that_was_slowed_down_is_doubted(measured: tuple[list[MeasuredCell], Probe]) -> None:
    """It saw 60 % of what the engine can do: the loads were about 0.6 times what their names say."""
    cells, probe = measured
    (said,) = of_probe(cells, scaled(probe, 0.6))
    assert "more than the probe had seen" in said
    assert "0.66 times what they say" in said


def test_one_full_cell_is_too_few_to_judge_a_probe_by(measured: tuple[list[MeasuredCell], Probe]) -> None:
    cells, probe = measured
    one = [cell for cell in cells if cell.id.startswith("ma8-")][:1]
    assert of_probe(one, scaled(probe, 0.6)) == []
