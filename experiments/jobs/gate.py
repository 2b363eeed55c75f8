"""Whether a run keeps up with a stored one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiments.decide.comparison_text import headline, not_judged
from experiments.jobs.compare import WORSE, compared
from experiments.stats.paired import Verdict
from loadtests.slo import SLO

UNSURE = 21


def run(baseline: Path, of: Path, slo: SLO | None, args: argparse.Namespace) -> int:
    """Compare the run `of` with the baseline; exit code 0 (passed), 20 (worse) or 21 (unsure, where `args`,
    the flags of `gate`, are strict).

    Raises:
        UserError: the runs cannot be compared, or a file cannot be written.
    """
    found = compared(baseline, of, slo, args)
    unsure = found.verdict is Verdict.CANT_TELL or found.recommended_missing
    code = WORSE if found.regressed else UNSURE if args.strict and unsure else 0
    left = "".join(f"; not judged: {one}" for one in not_judged(found))
    print(f"gate {'passed' if code == 0 else 'FAILED'}: {headline(found)}{left}", file=sys.stderr)
    return code
