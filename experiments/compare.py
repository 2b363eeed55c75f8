"""`python -m experiments.compare A B`: is run B different from run A?"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import comparison_flags, run_argument, slo_flag
from experiments.errors import run_command

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
    comparison_flags.add(parser)
    args = parser.parse_args(argv)
    slo = slo_flag.parsed(args.slo)
    for run in (args.a, args.b):
        run_argument.require_run(run)
    from experiments.jobs import compare

    return compare.run(args.a, args.b, slo, args)


if __name__ == "__main__":
    run_command(main)
