"""Fitting the twin, to a live engine or to a measured run."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from experiments.calibration import calibration, from_run
from experiments.calibration.calibration_file import Calibration
from experiments.calibration.drive import driving
from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from experiments.stack import cores, engine
from loadtests.planning.optional_fields import ALL_FIELDS, OptionalFields


def run(args: argparse.Namespace) -> int:
    """Calibrate as the flags of `calibrate` say, write both files, print the verdict; exit code 0 when the
    gate is passed, 1 when not.

    Raises:
        UserError, EnvironmentProblem: no engine or no run to fit, or a folder that cannot be written.
    """
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


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
