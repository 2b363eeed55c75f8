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
BETWEEN_FALSE_ALARMS_S = 180 * 86_400.0
"""On average, for each direction: a false alarm in 90 days."""
LEAST_ROUNDS = 48
LEAST_SD = 0.01
"""A round is not believed to stray less: no false alarm over what nobody can feel."""
_KNOTS = 8
_FEWEST_AT_KNOT = 12
_BEYOND = 1.1


class Source(StrEnum):
    """Whose answers the rounds are made of."""

    PROBE = "probe"
    """small requests of the watch's own, all alike"""
    RECORDED = "recorded"
    """the users' own, from a recording"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """baseline.json. The curve has a point a knot: requests in flight, and the logarithm of the time per
    output token (seconds); straight lines between, flat beyond."""

    model: str
    source: Source
    from_unix_s: float
    until_unix_s: float
    every_s: float
    rounds: int
    in_flight: tuple[float, ...]
    log_tpot: tuple[float, ...]
    highest_in_flight: float
    """that was seen; a busier moment is not judged"""
    sd: float
    """of a round's residual, the logarithm of its TPOT over the curve's, as its long-run mean has it"""

    @property
    def design(self) -> CusumDesign:
        """The test that goes with it."""
        between = BETWEEN_FALSE_ALARMS_S / self.every_s
        return cusum.design(max(self.sd, LEAST_SD), math.log1p(SHIFT), between)

    def residual(self, one: Round) -> float | None:
        """The median of its answers' logarithms over the curve: 0.1 is about 10 % slower. None where there
        is none that can be judged."""
        off = self._off(one)
        return float(np.median(off)) if len(off) else None

    def _off(self, one: Round) -> Floats:
        at, tpot_s = np.asarray(one.in_flight, float), np.asarray(one.tpot_s, float)
        known = (at <= _BEYOND * self.highest_in_flight + 0.5) & (tpot_s > 0)
        found: Floats = np.log(tpot_s[known]) - np.interp(at[known], self.in_flight, self.log_tpot)
        return found


def learn(rounds: Sequence[Round], model: str, source: Source, every_s: float) -> Baseline:
    """The baseline of these rounds, in order of time.

    Raises:
        UserError: fewer than 48 of them have an answer.
    """
    with_answers = [one for one in rounds if len(one.tpot_s)]
    if len(with_answers) < LEAST_ROUNDS:
        raise UserError(
            f"a baseline takes {LEAST_ROUNDS} rounds with answers, and there are {len(with_answers)}: go on, "
            "or take a longer time"
        )
    at = np.concatenate([np.asarray(one.in_flight, float) for one in with_answers])
    logs = np.log(np.concatenate([np.asarray(one.tpot_s, float) for one in with_answers]))
    knots, values = _curve(at, logs)
    draft = Baseline(
        model, source, with_answers[0].at_unix_s, with_answers[-1].at_unix_s, every_s, len(with_answers),
        tuple(knots.tolist()), tuple(values.tolist()), float(at.max()), 1.0,
    )  # fmt: skip
    strays = np.array([off for one in with_answers if (off := draft.residual(one)) is not None])
    # The curve is of medians of answers, the test of rounds: what is between the two is taken out.
    middle = float(np.median(strays))
    return Baseline(
        model, source, draft.from_unix_s, draft.until_unix_s, every_s, draft.rounds, draft.in_flight,
        tuple((values + middle).tolist()), draft.highest_in_flight, cusum.long_run_sd(strays - middle),
    )  # fmt: skip


def read(path: Path) -> Baseline:
    """The document at `path`. Raises UserError."""
    try:
        return codec.read(Baseline, path)
    except FileNotFoundError:
        raise UserError(f"there is no baseline at {path}") from None
    except codec.NotReadableError as error:
        raise UserError(str(error)) from None


def _curve(at: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Medians over equally many answers each, by requests in flight; fewer knots where there is little."""
    bins = max(1, min(_KNOTS, len(at) // _FEWEST_AT_KNOT))
    order = np.argsort(at, kind="stable")
    parts = np.array_split(order, bins)
    x = np.array([np.median(at[part]) for part in parts])
    y = np.array([np.median(logs[part]) for part in parts])
    places, which = np.unique(x, return_inverse=True)
    return places, np.array([y[which == k].mean() for k in range(len(places))])
