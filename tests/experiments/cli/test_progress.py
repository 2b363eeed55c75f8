"""What a person reads of a cell while the sweep runs."""

from __future__ import annotations

import io
import sys
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


SCREENING = "screening 12 settings at burst@1.2x: 7 of 12 left"


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def test_what_is_being_decided_is_a_line_where_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, however many cells it takes; the next phase is another line."""
    with SweepProgress(quiet=False) as progress:
        for cell in ("a", "b"):
            progress.deciding(SCREENING)
            progress.cell_begins(cell)
        progress.deciding("confirming ma8")
    assert capsys.readouterr().err.splitlines() == [SCREENING, "confirming ma8"]


def test_what_is_being_decided_stands_before_the_cell_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no line stays; brackets in it are its own."""
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("COLUMNS", "160")
    with SweepProgress(quiet=False) as progress:
        progress.plan([10.0, 10.0], done=0)
        progress.deciding("close [2 left]")
        progress.cell_begins("ma8--b3")
        progress.cell_ends("ma8--b3", plain.summary("ma8--b3"))
    assert "close [2 left]: ma8--b3" in screen.getvalue()


def test_a_quiet_sweep_does_not_tell_what_is_being_decided(capsys: pytest.CaptureFixture[str]) -> None:
    """It tells nothing but what went wrong."""
    with SweepProgress(quiet=True) as progress:
        progress.deciding(SCREENING)
    assert capsys.readouterr().err == ""
