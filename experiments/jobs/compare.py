"""Comparing two runs, and what is written of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiments.decide.comparison import RunComparison, compare_runs
from experiments.decide.comparison_text import junit, markdown
from experiments.errors import UserError
from experiments.files import write_bytes
from experiments.stats.paired import DELTA
from loadtests.slo import SLO

WORSE = 20


def run(a: Path, b: Path, slo: SLO | None, args: argparse.Namespace) -> int:
    """Print the comparison as Markdown; exit code 0 or 20 (worse). `args`: the flags of `compare`.

    Raises:
        UserError: the runs cannot be compared, or a file cannot be written.
    """
    return WORSE if compared(a, b, slo, args).regressed else 0


def compared(a: Path, b: Path, slo: SLO | None, args: argparse.Namespace) -> RunComparison:
    """Run `b` against `a`, printed, and written to the files that were asked for. Raises UserError."""
    delta = DELTA if args.delta is None else args.delta / 100
    found = compare_runs(a, b, slo=slo, delta=delta, anyway=args.anyway)
    _write(found, args.markdown, args.junit)
    return found


def _write(found: RunComparison, markdown_to: Path | None, junit_to: Path | None) -> None:
    """Print it, and write the files that were asked for."""
    text = markdown(found)
    sys.stdout.write(text)
    try:
        if markdown_to is not None:
            write_bytes(markdown_to, text.encode())
        if junit_to is not None:
            write_bytes(junit_to, junit(found).encode())
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from None
