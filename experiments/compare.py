"""`python -m experiments.compare A B`: is run B different from run A? `--live`: engine B from engine A."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import comparison_flags, run_argument, slo_flag
from experiments.errors import run_command

_EXAMPLES = """examples:
  %(prog)s runs/before runs/after
  %(prog)s runs/before runs/after --markdown pr.md --junit compare.xml
  %(prog)s --live http://127.0.0.1:8000 http://127.0.0.1:8001 --model qwen --rate 1.1x

exit code: 0 no drop was found, 20 the goodput of a cell or of the whole fell, 2 the runs are not the same
experiment (engine, model, flags, machine, workload, arrival plans) and --anyway was not given

With --live A and B are two engines, or two settings of one, measured now, block by block in turn, until it is
told (--metric, --delta, --blocks, --budget, --together: %(prog)s --live A B --help). It takes the flags of a
sweep, such as --engine, --engine-url, --model, --rate, --workload, --slo, --measure, --out.
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.compare") -> int:
    """Print the comparison as Markdown; exit code 0, 20 (worse), or 2 for a user's mistake."""
    if "--live" in argv:
        return _live(argv, prog)
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


def _live(argv: Sequence[str], prog: str) -> int:
    """Exit code 0 (equal or better), 20 (worse), 21 (cannot tell), or what ends a measurement."""
    from experiments.cli.live_args import parse

    options = parse(argv, prog)
    from experiments.jobs import live

    return live.run(options)


if __name__ == "__main__":
    run_command(main)
