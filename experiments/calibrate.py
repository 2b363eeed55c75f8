"""Fits the twin to a live engine and says how far it can be trusted.

    python -m experiments.calibrate --out runs/calibration            the engine that a sweep would choose
    python -m experiments.calibrate --engine-url http://box:8000      one that is already running

Three parts: prompts alone (a ladder of lengths), closed loops (stairs of concurrency, read through the
engine's own counters once a second), and a burst of arrivals that is never fitted. The fit must predict
that burst, or it is refused. Writes OUT/profile.json (for `--profile calibrated:FILE` and for `predict`)
and OUT/calibration.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp

from experiments.command import run_command
from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine
from experiments.twin import held_out
from experiments.twin.drive import Driver, Reading, rows_of_ladder, rows_of_stair
from experiments.twin.fit import NAMES, Fit, fit
from experiments.twin.profile import Profile
from experiments.twin.step_rows import rows_of_steps

LADDER = (16, 32, 64, 128, 256, 384, 512, 768)
LENGTHS = ((64, 24), (256, 48), (24, 12), (512, 32), (128, 64), (40, 40))
SHORT = ((24, 64), (32, 48))
LONG = ((1024, 48), (768, 64))
# Different lengths at the same concurrency tell the cost of a sequence from that of its context.
STAIRS = (
    (1, LENGTHS),
    (2, SHORT),
    (4, LONG),
    (4, LENGTHS),
    (8, SHORT),
    (12, LONG),
    (16, LENGTHS),
    (16, SHORT),
    (32, LENGTHS),
)


DRAW_NAMES = (*NAMES, "knee_tokens")
_OLD_COLUMNS = [0, 1, 2, 3, 4, 7]  # those that `predict` reads


def main(argv: Sequence[str]) -> int:
    """Calibrate, write both files, print the verdict; 0 when the gate is passed, 1 when not.

    Raises:
        UserError, EnvironmentProblem: wrong arguments, or no engine.
    """
    args = _arguments(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    choice = engine.choose(args.engine, engine_url=args.engine_url, model=args.model, profile=args.profile)
    if choice.why:
        _say(choice.why)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cpus = {cores[0]} if len(cores) > 1 else None
    with engine.running(choice, log_dir=args.out / "logs", cpus=cpus, on_progress=_say) as served:
        _say(f"calibrating {served.label}")
        if cpus:
            os.sched_setaffinity(0, set(cores) - cpus)
        result = asyncio.run(_calibrate(served, args))
    _write(args.out / "profile.json", result.pop("profile"))
    _write(args.out / "calibration.json", result)
    passed = bool(result["gate"]["passed"])
    print(f"{'accepted' if passed else 'REFUSED'}: {result['gate']['why']}\n{args.out / 'profile.json'}")
    return 0 if passed else 1


async def _calibrate(served: engine.Engine, args: argparse.Namespace) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        driver = Driver(session, served.url, served.model, args.seed)
        await driver.stair(8, 3.0, LENGTHS)  # the engine's own warm-up, not used
        budget = int(served.facts.get("max_model_len") or 4096) // 2
        _say("prompts alone")
        ladder = await driver.ladder([n for n in LADDER if n <= budget], args.repeats)
        readings: list[Reading] = []
        rows = rows_of_ladder(ladder)
        kv_tokens = int(served.facts.get("kv_cache_size_tokens") or 0)
        block_size = int(served.facts.get("block_size") or 0)
        for users, lengths in STAIRS:
            _say(f"closed loop of {users}, prompts of {min(lengths)[0]} to {max(lengths)[0]} tokens")
            answers, counted = await driver.stair(users, args.stair_s, lengths)
            readings += counted
            if args.rows == "counters":
                rows += rows_of_stair(counted, users, kv_tokens, block_size)
            else:
                rows += rows_of_steps(answers)
        # Neighbours share disturbances: blocks of about a second.
        found = fit(rows, seed=args.seed, block=4 if args.rows == "counters" else 30)
        profile = _profile(found, served, readings)
        _say("a burst that is not fitted")
        burst = await held_out.measure(driver, profile, LENGTHS, args.burst_s, args.seed)
    return {
        "profile": profile.model_dump(),
        "engine": {"label": served.label, "facts": served.facts},
        "fit": _fit_facts(found),
        "rows": [asdict(row) for row in rows],
        "gate": held_out.judge(burst, profile),
    }


def _profile(found: Fit, served: engine.Engine, readings: Sequence[Reading]) -> Profile:
    """The fitted values with what the engine says of its limits."""
    facts = served.facts
    seen = max(reading.values["running"] for reading in readings)
    values = found.values
    return Profile(
        name="calibrated",
        source=f"calibration of {served.label}",
        base_s=values["base_s"],
        per_decode_s=values["per_decode_s"],
        per_token_s=values["per_token_s"],
        knee_tokens=values["knee_tokens"],
        per_kv_token_s=values["per_kv_token_s"],
        ingest_s=values["overhead_s"],
        arrival_work_s=values["arrival_work_s"],
        end_work_s=values["end_work_s"],
        max_num_seqs=int(_flag(facts, "--max-num-seqs") or max(seen, 1)),
        max_num_batched_tokens=int(_flag(facts, "--max-num-batched-tokens") or 2048),
        num_gpu_blocks=int(facts.get("num_gpu_blocks") or 100_000),
        block_size=int(facts.get("block_size") or 16),
        max_model_len=int(facts.get("max_model_len") or 4096),
    )


def _flag(facts: dict[str, Any], flag: str) -> str | None:
    command = facts.get("command") or []
    return command[command.index(flag) + 1] if flag in command else None


def _fit_facts(found: Fit) -> dict[str, Any]:
    return {
        "values": found.values,
        "low": found.low,
        "high": found.high,
        "relative_error": found.relative_error,
        "condition": found.condition,
        "remarks": found.remarks,
        "draws": found.draws[:, _OLD_COLUMNS].tolist(),
        "draw_names": DRAW_NAMES,
        "all_draws": found.draws.tolist(),
    }


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", default="auto", help=f"{', '.join(engine.NAMES)} (default: %(default)s)")
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


def _write(path: Path, content: object) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written: {error.strerror}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command(main)
