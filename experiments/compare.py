"""`python -m experiments.compare A B`: is run B different from run A?"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.decide.comparison import RunComparison, compare_runs
from experiments.decide.comparison_text import junit, markdown
from experiments.errors import UserError, run_command
from experiments.files import write_bytes
from experiments.stats.paired import DELTA
from loadtests.slo import SLO

WORSE = 20
UNSURE = 21
_EXAMPLES = """examples:
  %(prog)s runs/before runs/after
  %(prog)s runs/before runs/after --markdown pr.md --junit compare.xml

exit code: 0 no drop was found, 20 the goodput of a cell or of the whole fell, 2 the runs are not the same
experiment (engine, model, flags, machine, workload, arrival plans) and --anyway was not given
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.compare") -> int:
    """Print the comparison as Markdown; exit code 0, 20 (worse), or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Compare two runs, cell by cell on the same arrivals.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=Path, metavar="A", help="run folder of the baseline")
    parser.add_argument("b", type=Path, metavar="B", help="run folder to compare with it")
    add_options(parser)
    args = parser.parse_args(argv)
    found = compare_runs(args.a, args.b, slo=slo_of(args.slo), delta=args.delta / 100, anyway=args.anyway)
    write(found, args.markdown, args.junit)
    return WORSE if found.regressed else 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `compare` and `gate` have in common."""
    parser.add_argument("--slo", help="judge both runs under this SLO instead of the baseline's own")
    parser.add_argument(
        "--delta", type=_percent, default=DELTA * 100, metavar="PERCENT",
        help="changes within ± this do not matter (default: 3)",
    )  # fmt: skip
    parser.add_argument("--anyway", action="store_true", help="compare runs that are not the same experiment")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the Markdown to FILE")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML to FILE")


def write(found: RunComparison, markdown_to: Path | None, junit_to: Path | None) -> None:
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


def slo_of(text: str | None) -> SLO | None:
    """The SLO of the command line.

    Raises:
        UserError: it is none.
    """
    try:
        return None if text is None else SLO.parse(text)
    except ValueError as error:
        raise UserError(f"--slo: {error}") from None


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"{text!r}: give a percentage above 0 and below 100, such as 3")
    return value


if __name__ == "__main__":
    run_command(main)
