"""What an engine's speed was when it was good: time per output token by requests in flight, and how far a
round strays from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.drift.round import Round
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.stats import cusum
from experiments.stats.cusum import CusumDesign

Floats = npt.NDArray[np.float64]

SHIFT = 0.10
"""The slow-down that is to be found, relative."""
TOLERATED = 0.01
"""A baseline may be off by as much, and nobody can feel it."""
BETWEEN_FALSE_ALARMS_S = 60 * 86_400.0
"""On average and at least, for each direction: a false alarm in 30 days."""
LEAST_ROUNDS = 48
LEAST_SD = 0.01
"""A round is not believed to stray less: no false alarm over what nobody can feel."""
_MOST_KNOTS = 7
_ANSWERS_A_KNOT = 30
_HUBER = 1.345
_RIDGE = 0.005
_ROUNDS = 20
_BEYOND = 1.1


class Source(StrEnum):
    """Whose answers the rounds are made of."""

    PROBE = "probe"
    """small requests of the watch's own, all alike"""
    RECORDED = "recorded"
    """the users' own, from a recording"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """baseline.json. The curve has a point a knot: requests in flight, the logarithm of the time per output
    token (seconds), and how far a round strays from it; straight lines between, flat beyond."""

    model: str
    source: Source
    from_unix_s: float
    until_unix_s: float
    every_s: float
    rounds: int
    in_flight: tuple[float, ...]
    log_tpot: tuple[float, ...]
    sd: tuple[float, ...]
    """of a round's residual, the logarithm of its TPOT over the curve's, as its long-run mean has it"""
    highest_in_flight: float
    """that was seen; a busier moment is not judged"""

    @property
    def design(self) -> CusumDesign:
        """The test that goes with it."""
        return CusumDesign.of(math.log1p(SHIFT), TOLERATED, BETWEEN_FALSE_ALARMS_S / self.every_s)

    @property
    def usual_sd(self) -> float:
        """Of a round, by the knots on average."""
        return float(np.sqrt(np.mean(np.square(self.sd))))

    def residual(self, one: Round) -> tuple[float, float] | None:
        """The middle of its answers' logarithms over the curve (0.1 is about 10 % slower), and its standard
        deviation. None where there is no answer that can be judged."""
        at, tpot_s = np.asarray(one.in_flight, float), np.asarray(one.tpot_s, float)
        known = (at <= _BEYOND * self.highest_in_flight + 0.5) & (tpot_s > 0)
        if not known.any():
            return None
        off = np.log(tpot_s[known]) - np.interp(at[known], self.in_flight, self.log_tpot)
        sd = float(np.interp(float(np.median(at[known])), self.in_flight, self.sd))
        return _middle(off), max(sd, LEAST_SD)


def learn(rounds: Sequence[Round], model: str, source: Source, every_s: float) -> Baseline:
    """The baseline of these rounds, in order of time.

    Raises:
        UserError: fewer than 48 of them have an answer.
    """
    known = [one for one in rounds if len(one.tpot_s)]
    if len(known) < LEAST_ROUNDS:
        raise UserError(
            f"a baseline takes {LEAST_ROUNDS} rounds with answers, and there are {len(known)}: go on, or "
            "take a longer time"
        )
    at = np.concatenate([np.asarray(one.in_flight, float) for one in known])
    logs = np.log(np.concatenate([np.asarray(one.tpot_s, float) for one in known]))
    knots = _knots(at)
    curve = _smooth(knots, at, logs)
    middle = np.array([np.median(one.in_flight) for one in known])
    off = np.array([_middle(np.log(one.tpot_s) - np.interp(one.in_flight, knots, curve)) for one in known])
    # The curve is of answers, the test of the middles of rounds: what is between the two is taken out.
    shift = _drawn(knots, middle, off, float(np.median(off)))
    off = off - np.interp(middle, knots, shift)
    spread = _spread(knots, middle, off)
    lasting = cusum.long_run_sd(off / np.interp(middle, knots, spread))
    return Baseline(
        model=model,
        source=source,
        from_unix_s=known[0].at_unix_s,
        until_unix_s=known[-1].at_unix_s,
        every_s=every_s,
        rounds=len(known),
        in_flight=tuple(knots.tolist()),
        log_tpot=tuple((curve + shift).tolist()),
        sd=tuple((lasting * spread).tolist()),
        highest_in_flight=float(at.max()),
    )


def read(path: Path) -> Baseline:
    """The document at `path`. Raises UserError."""
    try:
        return codec.read(Baseline, path)
    except FileNotFoundError:
        raise UserError(f"there is no baseline at {path}") from None
    except codec.NotReadableError as error:
        raise UserError(str(error)) from None


def _middle(off: Floats) -> float:
    """The mean of the middle half: one answer behind a long prompt does not move it, and it is nearly as
    sharp as the mean of all."""
    quarter = len(off) // 4
    return float(np.sort(off)[quarter : len(off) - quarter].mean())


def _knots(at: Floats) -> Floats:
    """Of a piecewise linear function over these places: their quantiles, ends included; one where all are
    the same."""
    count = max(2, min(_MOST_KNOTS, len(at) // _ANSWERS_A_KNOT))
    found: Floats = np.unique(np.quantile(at, np.linspace(0, 1, count)))
    # Two knots closer than a request say the same.
    keep = [0, *(k for k in range(1, len(found)) if found[k] - found[k - 1] > 0.25)]
    return found[keep]


def _hats(knots: Floats, at: Floats) -> Floats:
    columns: Floats = np.array([np.interp(at, knots, row) for row in np.eye(len(knots))]).T
    return columns


def _smooth(knots: Floats, at: Floats, values: Floats) -> Floats:
    """The function's values at the knots, by least squares with Huber's weights (Huber 1964)."""
    hats, weights = _hats(knots, at), np.ones(len(at))
    found: Floats = np.zeros(len(knots))
    for _ in range(_ROUNDS):
        gram = hats.T @ (hats * weights[:, None]) + 1e-6 * len(at) * np.eye(len(knots))
        found = np.asarray(np.linalg.solve(gram, hats.T @ (values * weights)), dtype=np.float64)
        off = values - hats @ found
        scale = max(1.4826 * float(np.median(np.abs(off))), 1e-9)
        weights = 1 / np.maximum(1.0, np.abs(off) / (_HUBER * scale))
    return found


def _drawn(knots: Floats, at: Floats, values: Floats, towards: float) -> Floats:
    """The same by plain least squares, each knot drawn a little `towards` a value: wholly, where nothing is
    near it."""
    hats = _hats(knots, at)
    gram = hats.T @ hats + _RIDGE * len(at) * np.eye(len(knots))
    found: Floats = np.asarray(np.linalg.solve(gram, hats.T @ (values - towards)), dtype=np.float64)
    return found + towards


def _spread(knots: Floats, at: Floats, off: Floats) -> Floats:
    """Standard deviation of a round at the knots, from mean absolute residuals; nowhere less than half of
    what it is on average."""
    whole = max(float(np.std(off)), LEAST_SD)
    found: Floats = np.maximum(_drawn(knots, at, math.sqrt(math.pi / 2) * np.abs(off), whole), whole / 2)
    return found
