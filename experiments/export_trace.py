"""Turns the records of an earlier run into a trace file: what was asked for and when, to play it again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import UserError, run_command

_ABOUT = """The records of an earlier run as a trace file, to play it again. RUN is the folder of a sweep, of
one of its cells, or of a load run. Every arrival is in it, also those that were refused: lengths are those
that the engine counted, and the planned ones where it counted none."""
_EXAMPLES = """examples:
  %(prog)s runs/night --cell ma16-reject--burst-1.2x--b0 > trace.csv
  %(prog)s runs/load-1 --out trace.csv
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.export_trace") -> int:
    """Write the trace; exit code 0, or 2 for a user's mistake."""
    args = _arguments(argv, prog)
    if not args.run.is_dir():
        raise UserError(f"{args.run} holds no records: there is no such folder")
    from experiments.jobs import export_trace

    return export_trace.run(args.run, args.cell, args.out)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a sweep, a cell or a load run")
    parser.add_argument("--cell", metavar="ID", help="which cell of the sweep (default: its only one)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the CSV file (default: standard output)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
