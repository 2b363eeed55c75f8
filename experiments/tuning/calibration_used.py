"""The model that `tune` works with: an earlier calibration, or one made now; and whether it may be used."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.calibration import calibrated
from experiments.calibration.gate import CalibrationGate
from experiments.cli.tune_args import TuneOptions
from experiments.errors import EnvironmentProblem
from experiments.stack import process
from experiments.stack.engine import Engine
from experiments.tuning.model import Discrepancy, Model
from loadtests.reach import handed_down

_FOLDER = "calibration"
_LONGEST_S = 3600.0
_LATENCIES = ("ttft_s_p50", "ttft_s_p95", "e2e_s_p50", "e2e_s_p95")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A model, the file it is from, and the verdict of its gate: `passed` is None where nobody tried it.
    `engine_s`: what making it cost now."""

    model: Model
    path: Path
    label: str
    passed: bool | None
    why: str
    engine_s: float


def obtain(options: TuneOptions, run: Path, engine: Engine, say: Callable[[str], None]) -> Calibrated:
    """The calibration that was given, the one this run has made before, or a new one.

    Raises:
        EnvironmentProblem: the calibration could not be made.
    """
    folder = where(options, run)
    if options.model is not None:
        return read(folder, 0.0)
    took = folder / "took.json"
    if not took.exists():
        seconds = _calibrate(options, folder, engine, say)
        took.write_text(json.dumps({"engine_s": seconds}), encoding="utf-8")
    return read(folder, float(json.loads(took.read_text(encoding="utf-8"))["engine_s"]))


def where(options: TuneOptions, run: Path) -> Path:
    """The calibration that was given, or the place of the run's own."""
    return options.model or run / _FOLDER


def read(path: Path, engine_s: float) -> Calibrated:
    """A calibration from its folder, or from profile.json with calibration.json beside it."""
    found = calibrated.read(path)
    file = path / "profile.json" if path.is_dir() else path
    if found.gate is None:
        untried = Model(found.profile, found.draws)
        return Calibrated(untried, file, found.profile.source, None, calibrated.UNTRIED, engine_s)
    model = Model(found.profile, found.draws, _discrepancy(found.gate, found.speed_sd))
    return Calibrated(model, file, found.profile.source, found.gate.passed, found.gate.why, engine_s)


def _discrepancy(gate: CalibrationGate, speed_sd: float) -> Discrepancy:
    """From the residuals of the held-out burst, and how steady the engine was while it was calibrated."""
    errors = [gate.held_out[name].error for name in _LATENCIES if name in gate.held_out]
    found = Discrepancy.of_held_out(gate.speed_factor, errors)
    return replace(found, speed_sd=max(found.speed_sd, speed_sd))


def _calibrate(options: TuneOptions, folder: Path, engine: Engine, say: Callable[[str], None]) -> float:
    """`python -m experiments.calibrate` against the engine that runs; returns its seconds. A refusal is a
    result.
    """
    folder.mkdir(exist_ok=True)
    log = folder / "calibrate.log"
    argv = [
        sys.executable,
        "-m",
        "experiments.calibrate",
        "--engine-url",
        engine.url,
        "--model",
        engine.model,
    ]
    argv += ["--out", str(folder), "--stair-s", str(options.stair_s), "--burst-s", str(options.burst_s)]
    argv += ["--seed", str(options.sweep.spec.load.seed), "--usage", options.sweep.spec.load.usage]
    began_s, shown = time.monotonic(), ""
    with process.running(process.Command(argv, "the calibration", log, env=_environment(engine))) as child:
        while child.wait(1.0) is None:
            if time.monotonic() - began_s > _LONGEST_S:
                raise EnvironmentProblem(f"the calibration did not end in {_LONGEST_S:g} s; see {log}")
            line = child.last_lines(1)
            if line != shown and log.stat().st_size:
                shown = line
                say(f"calibrating: {line}")
        code = child.exit_code()
        if code not in (0, 1) or not (folder / "profile.json").exists():
            raise EnvironmentProblem(f"the calibration failed ({code}): {child.last_lines(5)}")
    return time.monotonic() - began_s


def _environment(engine: Engine) -> dict[str, str]:
    """Ours, with the engine's credentials, which a command line would show to everybody."""
    known = () if engine.endpoint is None else (engine.endpoint,)
    return {**os.environ, **handed_down.to_environment(known)}
