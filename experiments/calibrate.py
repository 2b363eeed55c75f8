"""Fits the twin to a live engine and says how far it can be trusted.

Four parts: prompts alone (a ladder of lengths), closed loops (stairs of concurrency, in two passes), open
loops, and a burst of arrivals that is never fitted. The fit must predict that burst, or it is refused. Writes
OUT/profile.json (for `--profile calibrated:FILE` and for `predict`), OUT/calibration.json, and what every
client saw into OUT/answers.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from experiments.calibration import calibration, from_run
from experiments.calibration.drive import Driver
from experiments.errors import EnvironmentProblem, UserError, run_command
from experiments.stack import engine

_EXAMPLES = """examples:
  %(prog)s --out runs/calibration            the engine that a sweep would choose
  %(prog)s --engine-url http://box:8000      one that is already running
  %(prog)s --from-run runs/X                 no engine: the steps in a run's records
"""
KEEPALIVE_S = 2.0
"""Shorter than an engine's own (uvicorn's: 5 s), so that no request meets a connection that just closes."""


def main(argv: Sequence[str], prog: str = "python -m experiments.calibrate") -> int:
    """Calibrate, write both files, print the verdict; 0 when the gate is passed, 1 when not.

    Raises:
        UserError, EnvironmentProblem: wrong arguments, or no engine.
    """
    args = _arguments(argv, prog)
    args.out.mkdir(parents=True, exist_ok=True)
    result = from_run.calibrate_from(args.from_run, args.seed) if args.from_run else _live(args)
    _write(args.out / "profile.json", result.pop("profile"))
    if "answers" in result:
        _write(args.out / "answers.json", result.pop("answers"), indent=None)
    _write(args.out / "calibration.json", result)
    passed = bool(result["gate"]["passed"])
    print(f"{'accepted' if passed else 'REFUSED'}: {result['gate']['why']}\n{args.out / 'profile.json'}")
    return 0 if passed else 1


def _live(args: argparse.Namespace) -> dict[str, Any]:
    choice = engine.choose(args.engine, engine_url=args.engine_url, model=args.model, profile=args.profile)
    if choice.why:
        _say(choice.why)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cpus = {cores[0]} if len(cores) > 1 else None
    with engine.running(choice, log_dir=args.out / "logs", cpus=cpus, on_progress=_say) as served:
        _say(f"calibrating {served.label}")
        if cpus:
            os.sched_setaffinity(0, set(cores) - cpus)
        return asyncio.run(_calibrate(served, args))


async def _calibrate(served: engine.Engine, args: argparse.Namespace) -> dict[str, Any]:
    plan = calibration.Plan(args.stair_s, args.burst_s, args.repeats, args.rows, args.seed)
    timeout = aiohttp.ClientTimeout(total=600)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        driver = Driver(session, served.url, served.model, args.seed)
        return await calibration.calibrate(driver, served, plan, _say)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", default="auto", help=f"{', '.join(engine.NAMES)} (default: %(default)s)")
    parser.add_argument("--from-run", type=Path, metavar="RUN", help="fit a measured run; no engine is used")
    parser.add_argument("--engine-url", help="an engine that is already running, without /v1")
    parser.add_argument("--model", help="the model that vLLM serves")
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
    args = parser.parse_args(argv)
    for name in ("stair_s", "burst_s", "repeats"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} {getattr(args, name)} must be above 0")
    return args


def _write(path: Path, content: object, indent: int | None = 1) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(content, indent=indent, default=str) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written: {error.strerror}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command(main)
