"""A cell's verdicts, each with its reasons."""

from dataclasses import replace

import pandas as pd
import pytest

from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from reports.rows import CellRow, rows_of
from reports.run import Run
from reports.verdicts import verdicts

ROW = CellRow(
    cell="x",
    offered=100.0,
    served_in_slo=80.0,
    served_late=5.0,
    rejected=12.0,
    timed_out=3.0,
    other=0.0,
    attainment=0.8,
    attainment_low=0.71,
    attainment_high=0.87,
)
# Of the late ones four began late, and three were slow.
LATE = pd.DataFrame(
    {
        "outcome": ["ok"] * 85 + ["rejected_full"] * 15,
        "ttft_s": [0.1] * 80 + [0.9] * 4 + [0.1] + [9.0] * 15,
        "tpot_s": [0.01] * 80 + [0.01] * 2 + [0.2] * 3 + [float("nan")] * 15,
    }
)


def test_the_objectives_verdict_says_what_became_of_the_others(run: Run) -> None:
    """The most first; of those served late which bound they missed, refused ones not among them."""
    (missed,) = verdicts(ROW, run.slo, None, LATE)
    assert (missed.name, missed.tone) == ("SLO missed", "bad")
    assert missed.why == (
        "80.0 % of 100 offered requests were served within TTFT 500 ms and TPOT 60.0 ms (95 %: 71.0–87.0 %); "
        "the target is 95.0 %. Of the others 12 were rejected, 5 came late (TTFT 4, TPOT 3), "
        "3 waited in vain."
    )


@pytest.mark.parametrize(
    ("share", "ends", "name"),
    [
        (0.99, (0.96, 1.0), "SLO met"),
        (0.96, (0.92, 0.99), "SLO met, not beyond doubt"),
        (0.94, (0.90, 0.97), "SLO missed, not beyond doubt"),
    ],
)
def test_a_verdict_inside_its_interval_is_not_beyond_doubt(
    run: Run, share: float, ends: tuple[float, float], name: str
) -> None:
    """Only an interval that lies wholly on one side of the target is sure."""
    row = replace(ROW, attainment=share, attainment_low=ends[0], attainment_high=ends[1])
    assert verdicts(row, run.slo, None, LATE)[0].name == name


def test_every_measured_cell_has_its_three_verdicts(run: Run) -> None:
    """Objective, saturation, and whether the numbers count, each a sentence; an invalid one says why."""
    row = next(iter(rows_of(run.cells, CellRow)))
    summary = run.summaries[row.cell]
    found = verdicts(row, run.slo, summary, LATE)
    assert len(found) == 3
    assert all(verdict.name and verdict.why.endswith(".") for verdict in found)
    broken = Doubt(next(iter(DoubtCode)), Severity.INVALID, "the clock was set back")
    last = verdicts(replace(row, validity="invalid"), run.slo, replace(summary, doubts=(broken,)), LATE)[-1]
    assert (last.name, last.tone) == ("Invalid", "bad")
    assert "left out of every choice: the clock was set back." in last.why
