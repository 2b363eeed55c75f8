"""Fits the twin to a live engine and says how far it can be trusted.

Four parts: prompts alone, of many lengths; closed loops of 1 to 32 users, in two passes; open loops; and a
burst of arrivals that is never fitted. The fit must predict that burst, or it is refused. Writes
OUT/profile.json (for `--profile calibrated:FILE` and for `predict`), OUT/calibration.json, and every answer
with the times of its chunks into OUT/answers.json.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.calibration import calibration, from_run
from experiments.calibration.calibration_file import Calibration
from experiments.calibration.drive import driving
from experiments.cli import optional_field_flags, secrets
from experiments.errors import EnvironmentProblem, UserError, run_command
from experiments.measure import prompt_cost
from experiments.stack import cores, engine
from experiments.stack.providers import known
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields

_EXAMPLES = """examples:
  %(prog)s --out runs/calibration            the engine that a sweep would choose
  %(prog)s --engine-url http://box:8000      one that is already running
  %(prog)s --from-run runs/X                 no engine: the steps in a run's records
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.calibrate") -> int:
    """Calibrate, write both files, print the verdict; 0 when the gate is passed, 1 when not.

    Raises:
        UserError, EnvironmentProblem: wrong arguments, or no engine.
    """
    args = _arguments(argv, prog)
    result = from_run.calibrate_from(args.from_run, args.seed) if args.from_run else _live(args)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        result.write(args.out)
    except OSError as error:
        raise EnvironmentProblem(f"{args.out} cannot be written: {error.strerror}") from error
    gate = result.gate
    print(f"{'accepted' if gate.passed else 'REFUSED'}: {gate.why}\n{args.out / 'profile.json'}")
    return 0 if gate.passed else 1


def _live(args: argparse.Namespace) -> Calibration:
    choice = engine.choose(args.engine, engine_url=args.at, model=args.model, profile=args.profile)
    if choice.why:
        _say(choice.why)
    shared = cores.split(cores.AUTO, engine_is_here=choice.provider.on_our_cores)
    with engine.running(choice, log_dir=args.out / "logs", cpus=shared.engine, on_progress=_say) as served:
        _say(f"calibrating {served.label}")
        if shared.others:
            os.sched_setaffinity(0, shared.others)
        return asyncio.run(_calibrate(served, args))


async def _calibrate(served: engine.Engine, args: argparse.Namespace) -> Calibration:
    effort = calibration.CalibrationEffort(args.stair_s, args.burst_s, args.repeats, args.rows, args.seed)
    assert served.endpoint is not None, "an engine that is calibrated is reached itself"
    cost = prompt_cost.measured(served.endpoint, served.model)
    fields = OptionalFields.named(args.lengths or served.answer_lengths, args.usage or ALL_FIELDS.usage)
    async with driving(served, cost, args.seed, fields) as driver:
        return await calibration.calibrate(driver, served, effort, _say)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--engine", default=known.AUTO, help=f"{', '.join(known.CHOICES)} (default: %(default)s)"
    )
    parser.add_argument("--from-run", type=Path, metavar="RUN", help="fit a measured run; no engine is used")
    parser.add_argument("--engine-url", help="an engine that is already running, without /v1")
    secrets.add_engine_key(parser, os.environ)
    parser.add_argument("--model", help="the model that the engine is to serve")
    parser.add_argument("--profile", default="tiny-cpu", help="timing of the emulator (default: %(default)s)")
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
    args.at = secrets.engine(args.engine_url, args.upstream_api_key, os.environ) if args.engine_url else None
    for name in ("stair_s", "burst_s", "repeats"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(args, name)} must be above 0")
    return args


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command(main)
