"""Fits the twin to a live engine and says how far it can be trusted.

Four parts: prompts alone, of many lengths; closed loops of 1 to 32 users, in two passes; open loops; and a
burst of arrivals that is never fitted. The fit must predict that burst, or it is refused. Writes
OUT/profile.json (for `--profile calibrated:FILE` and for `predict`), OUT/calibration.json, and every answer
with the times of its chunks into OUT/answers.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import engine_flags, optional_field_flags, recorded_flags, run_argument, secrets
from experiments.errors import UserError, run_command

_EXAMPLES = """examples:
  %(prog)s --out runs/calibration            the engine that a sweep would choose
  %(prog)s --engine-url http://box:8000      one that is already running
  %(prog)s --from-run runs/X                 no engine: the steps in a run's records
  %(prog)s --recorded DIR --from 14:00 --max-num-seqs 64        no engine: what the gateway recorded
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.calibrate") -> int:
    """Calibrate, write both files, print the verdict; 0 when the gate is passed, 1 when not.

    Raises:
        UserError, EnvironmentProblem: wrong arguments, or no engine.
    """
    args = _arguments(argv, prog)
    if args.recorded is not None:
        from experiments.jobs import learn

        return learn.calibrate(args)
    if args.from_run is not None:
        run_argument.require_cells(args.from_run)
    from experiments.jobs import calibrate

    return calibrate.run(args)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from-run", type=Path, metavar="RUN", help="fit a measured run; no engine is used")
    recorded_flags.add_recording(parser)
    recorded_flags.add_bounds(parser)
    engine_flags.add(parser, engine_flags.AUTO)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/calibration"), help="folder (default: %(default)s)"
    )
    parser.add_argument(
        "--stair-s", type=float, default=8.0, help="per closed loop, s (default: %(default)s)"
    )
    parser.add_argument(
        "--burst-s", type=float, default=20.0, help="held-out burst, s (default: %(default)s)"
    )
    parser.add_argument(
        "--rows", choices=("steps", "counters"), default="steps", help="what is fitted (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="of each single prompt (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of prompts and burst (default: %(default)s)")
    optional_field_flags.add(parser.add_argument)
    secrets.hide(argv)
    args = parser.parse_args(argv)
    engine_flags.settle(args)
    for name in ("stair_s", "burst_s", "repeats"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(args, name)} must be above 0")
    return args


if __name__ == "__main__":
    run_command(main)
