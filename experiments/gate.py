"""`python -m experiments.gate RUN --baseline DIR`: does this run keep up with the stored one? For CI."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import comparison_flags, run_argument, slo_flag
from experiments.errors import run_command

_EXAMPLES = """examples:
  %(prog)s runs/today --baseline docs/examples/standard --junit gate.xml
  %(prog)s runs/today --baseline runs/main --strict

What both runs have is judged, block by block; what only one has is named.

exit code: 0 passed, 20 goodput fell, 21 with --strict: it cannot be told whether it fell, or the setting that
the baseline recommends is not among what both have, 2 the runs are not the same experiment and --anyway was
not given
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.gate") -> int:
    """Compare RUN with the baseline; exit code 0 (passed), 20 (worse), 21 (unsure, with --strict) or 2."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Fail a build when goodput fell against a stored run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder to judge")
    parser.add_argument(
        "--baseline", type=Path, required=True, metavar="DIR", help="run folder it has to match"
    )
    parser.add_argument("--strict", action="store_true", help="also fail when it cannot be told")
    comparison_flags.add(parser)
    args = parser.parse_args(argv)
    slo = slo_flag.parsed(args.slo)
    for run in (args.baseline, args.run):
        run_argument.require_run(run)
    from experiments.jobs import gate

    return gate.run(args.baseline, args.run, slo, args)


if __name__ == "__main__":
    run_command(main)
