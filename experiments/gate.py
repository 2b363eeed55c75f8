"""`python -m experiments.gate RUN --baseline DIR`: does this run keep up with the stored one? For CI."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.compare import UNSURE, WORSE, add_options, slo_of, write
from experiments.decide.comparison import compare_runs
from experiments.decide.comparison_text import headline, not_judged
from experiments.errors import run_command
from experiments.stats.paired import Verdict

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
    add_options(parser)
    args = parser.parse_args(argv)
    found = compare_runs(
        args.baseline, args.run, slo=slo_of(args.slo), delta=args.delta / 100, anyway=args.anyway
    )
    write(found, args.markdown, args.junit)
    unsure = found.verdict is Verdict.CANT_TELL or found.recommended_missing
    code = WORSE if found.regressed else UNSURE if args.strict and unsure else 0
    left = "".join(f"; not judged: {one}" for one in not_judged(found))
    print(f"gate {'passed' if code == 0 else 'FAILED'}: {headline(found)}{left}", file=sys.stderr)
    return code


if __name__ == "__main__":
    run_command(main)
