"""A calibration's folder, as `calibrate` leaves it, for a profile that is known."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.calibration.gate import CalibrationGate, Deviation
from experiments.calibration.read_back import DRAW_NAMES
from experiments.twin.profile import TINY_CPU, Profile

WHY = "ttft_s_p95 is off by +40.0% (allowed ±15%)"
HELD_OUT = {"ttft_s_p95": Deviation(-0.063), "e2e_s_p95": Deviation(-0.009)}


def write_calibration(
    folder: Path, *, passed: bool | None, profile: Profile = TINY_CPU, speed_sd: float = 0.01
) -> Path:
    """The profile in `folder`, which is made, with one draw that is the profile's own; `passed` None: nobody
    tried it, and it is alone there."""
    folder.mkdir()
    (folder / "profile.json").write_text(profile.model_copy(update={"name": "calibrated"}).model_dump_json())
    if passed is not None:
        gate = CalibrationGate(passed, WHY, 1, 1.0, HELD_OUT)
        draw = [getattr(profile, name, profile.ingest_s) for name in DRAW_NAMES]
        stored = {"fit": {"all_draws": [draw], "speed_sd": speed_sd}, "gate": gate.to_json()}
        (folder / "calibration.json").write_text(json.dumps(stored))
    return folder
