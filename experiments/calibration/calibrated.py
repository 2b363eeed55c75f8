"""What a calibration leaves behind: the engine's parameters, how well they are known, and how
steady the machine was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.calibration.gate import CalibrationGate
from experiments.calibration.read_back import read_draws, read_gate
from experiments.twin import profile as profiles
from experiments.twin.profile import Profile, slower

UNTRIED = "the profile came without calibration.json, so nobody has tried it on a burst"
_FIELDS = {"overhead_s": "ingest_s"}


@dataclass(frozen=True, slots=True)
class FittedEngine:
    """`profile` is the best estimate and `draws` its parameter uncertainty (at least one); `speed_sd` is the
    standard deviation of the logarithm of the engine's speed from one few seconds to the next. `gate`: the
    verdict on it, None where nobody has tried it."""

    profile: Profile
    draws: tuple[Profile, ...]
    speed_sd: float
    gate: CalibrationGate | None = None

    def samples(self, count: int, seed: int = 0) -> list[Profile]:
        """`count` engines that this may be: a parameter draw each, at a speed of its own."""
        rng = np.random.default_rng(seed)
        speeds = np.exp(rng.normal(0.0, self.speed_sd, count)).tolist()
        picks = rng.permutation(len(self.draws))
        return [slower(self.draws[picks[k % len(picks)]], speed) for k, speed in enumerate(speeds)]


def read(path: Path) -> FittedEngine:
    """A calibration from its folder, or from profile.json with calibration.json beside it (without
    that, the profile alone).

    Raises:
        UserError: there is no profile, or what lies beside it is of another version.
    """
    file = path / "profile.json" if path.is_dir() else path
    profile = profiles.named(f"calibrated:{file}")
    beside = file.with_name("calibration.json")
    if not beside.exists():
        return FittedEngine(profile, (profile,), 0.0)
    stored = read_draws(beside)
    draws = tuple(with_values(profile, values) for values in stored.by_name())
    return FittedEngine(profile, draws or (profile,), stored.speed_sd, read_gate(beside))


def with_values(profile: Profile, values: Mapping[str, float]) -> Profile:
    """The profile with fitted values in place of its own."""
    return profile.model_copy(update={_FIELDS.get(name, name): value for name, value in values.items()})
