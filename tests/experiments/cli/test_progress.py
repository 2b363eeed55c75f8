"""What a person reads of a cell while the sweep runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.cli.progress import SweepProgress
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from tests.experiments import plain


def test_lengths_that_are_off_are_said_with_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where they do not make the cell invalid."""
    text = "3 output tokens reported where 32 were asked"
    cell = plain.summary("a")
    for severity in (Severity.INVALID, Severity.WARN):
        doubt = Doubt(DoubtCode.LENGTHS, severity, text)
        with SweepProgress(quiet=False) as progress:
            progress.cell_ends("a", replace(cell, doubts=(doubt,)))
        said = capsys.readouterr().err
        assert text in said
        assert ("INVALID: lengths" in said) == (severity is Severity.INVALID)
