"""What a calibration leaves behind: the engine's parameters, how well they are known, and how steady the
machine was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.calibration.fit import NAMES
from experiments.calibration.held_out import slower
from experiments.calibration.undisturbed import Steady
from experiments.errors import UserError
from experiments.files import read_json
from experiments.twin import profile as profiles
from experiments.twin.profile import Profile

DRAW_NAMES = (*NAMES, "knee_tokens")
_FIELDS = {"overhead_s": "ingest_s"}
_FIRST_COLUMNS = [0, 1, 2, 3, 4, -1]  # what `draws` held before the others came; `predict` reads these


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`profile` is the best estimate and `draws` its parameter uncertainty (at least one); `speed_sd` is the
    standard deviation of the logarithm of the engine's speed from one few seconds to the next."""

    profile: Profile
    draws: tuple[Profile, ...]
    speed_sd: float

    def samples(self, count: int, seed: int = 0) -> list[Profile]:
        """`count` engines that this may be: a parameter draw each, at a speed of its own."""
        rng = np.random.default_rng(seed)
        speeds = np.exp(rng.normal(0.0, self.speed_sd, count)).tolist()
        picks = rng.permutation(len(self.draws))
        return [slower(self.draws[picks[k % len(picks)]], speed) for k, speed in enumerate(speeds)]


def read(path: Path) -> Calibrated:
    """A calibration from its folder, or from profile.json with calibration.json beside it (without that, the
    profile alone).

    Raises:
        UserError: there is no profile.
    """
    file = path / "profile.json" if path.is_dir() else path
    profile = profiles.named(f"calibrated:{file}")
    beside = file.with_name("calibration.json")
    if not beside.exists():
        return Calibrated(profile, (profile,), 0.0)
    fitted = read_json(beside)["fit"]
    if "all_draws" not in fitted:
        raise UserError(f"{beside} was made by an earlier version; calibrate again")
    draws = [with_values(profile, dict(zip(DRAW_NAMES, row, strict=True))) for row in fitted["all_draws"]]
    return Calibrated(profile, tuple(draws) or (profile,), float(fitted["speed_sd"]))


def with_values(profile: Profile, values: dict[str, float]) -> Profile:
    """The profile with fitted values in place of its own."""
    return profile.model_copy(update={_FIELDS.get(name, name): value for name, value in values.items()})


def fit_facts(steady: Steady) -> dict[str, Any]:
    """The `fit` part of calibration.json."""
    found = steady.fit
    return {
        "values": found.values,
        "low": found.low,
        "high": found.high,
        "relative_error": found.relative_error,
        "condition": found.condition,
        "remarks": found.remarks,
        "speed_sd": steady.speed_sd,
        "parts": len(steady.kept),
        "disturbed_parts": steady.disturbed,
        "draws": found.draws[:, _FIRST_COLUMNS].tolist(),
        "draw_names": DRAW_NAMES,
        "all_draws": found.draws.tolist(),
    }
