"""Goodputs of all settings at one load as they may be in truth, given the stretches: joint draws.

The window of a stretch is cut into spans longer than a request lives, so that what one span holds says little
about the next. A draw gives every span of the common arrivals a weight (the Bayesian bootstrap: Rubin 1981),
the same for every setting that met them, so that what the arrivals do to all cancels in every comparison; a
setting that ran on some traces only enters by its ratio to the one that ran on most (Cochran 1977, 6.3).

A handful of spans knows its variance badly: the spread of each ratio is widened to the moderated error of
`stats.paired_ratios`. What differs between two runs of one cell is not seen inside them: it is what is left
of the engine's speed, `RESIDUAL_SPEED_SD`, times how steeply the goodput depends on it, drawn once for each
run, so that settings for which one run stands have it in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from experiments.racing.judged_stretch import JudgedStretch
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.paired_ratios import paired_ratios

RESIDUAL_SPEED_SD = 0.006
"""Of the engine's speed in one stretch, once its index is taken out."""
RESIDUAL_SD = 0.004
"""Of the goodput itself between two runs of one cell."""
SPANS = 6
MOST_WIDENED = 4.0

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class LoadPosterior:
    """The usable stretches of one load.

    Attributes:
        counts: stretches by setting, those included that another setting's run stands for.
    """

    def __init__(self, settings: Sequence[Setting], load: Load, stretches: Sequence[JudgedStretch]) -> None:
        mine = [s for s in stretches if s.usable and s.cell.load == load]
        blocks = {block: j for j, block in enumerate(sorted({s.cell.block for s in mine}))}
        self._good = np.full((len(settings), len(blocks) * SPANS), np.nan)
        self._seconds = np.full((len(settings), len(blocks)), np.nan)
        self._run = np.full((len(settings), len(blocks)), -1)
        self._steep = np.array([s.elasticity for s in mine])
        for number, s in enumerate(mine):
            j = blocks[s.cell.block]
            for i, setting in enumerate(settings):
                own = setting == s.cell.setting
                if own or (self._run[i, j] < 0 and s.stands_for(replace(s.cell, setting=setting))):
                    self._good[i, j * SPANS : (j + 1) * SPANS] = spans(s)
                    self._seconds[i, j] = s.trace.duration_s
                    self._run[i, j] = number
        self.counts: Counts = (self._run >= 0).sum(axis=1)

    def goodput(self) -> Floats:
        """Estimates (settings,), requests per second; nan where nothing was measured."""
        return np.asarray(self._rates(np.ones((1, self._good.shape[1])))[0])

    def draws(self, count: int, rng: np.random.Generator) -> Floats:
        """Goodputs (count, settings) as they may be."""
        middle = self.goodput()
        if not self.counts.any():
            return np.tile(middle, (count, 1))
        drawn = self._rates(rng.exponential(size=(count, self._good.shape[1])))
        anchor = self._anchor()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = drawn / drawn[:, [anchor]]
            error = paired_ratios(self._good).error[:, anchor]
            widened = np.clip(np.nan_to_num(error / ratio.std(axis=0), nan=1.0), 1.0, MOST_WIDENED)
            ratio = middle / middle[anchor] + widened * (ratio - middle / middle[anchor])
        values = np.where(np.isfinite(ratio), ratio * drawn[:, [anchor]], drawn)
        return np.maximum(0.0, values) * np.exp(self._between_runs(count, rng)) + self._unseen(count, rng)

    def _anchor(self) -> int:
        """The setting with the most stretches; of several the one with the most good requests."""
        total = np.nansum(self._good, axis=1)
        return int(np.lexsort((total, self.counts))[-1])

    def _rates(self, weights: Floats) -> Floats:
        """Goodput (draws, settings) under weights of the spans (draws, spans)."""
        there = ~np.isnan(self._good)
        good = np.where(there, self._good, 0.0)
        span_s = np.repeat(np.nan_to_num(self._seconds), SPANS, axis=1) / SPANS
        anchor = self._anchor() if len(good) else 0
        both = there & there[anchor]
        with np.errstate(divide="ignore", invalid="ignore"):
            own = (weights @ good.T) / (weights @ span_s.T)
            common = (weights @ (good * both).T) / (weights @ (good[anchor] * both).T)
        found = np.where(np.isfinite(common), common * own[:, [anchor]], own)
        return np.where(self.counts > 0, found, np.nan)

    def _between_runs(self, count: int, rng: np.random.Generator) -> Floats:
        """What the runs themselves add to the logarithm, (count, settings): the mean over a setting's
        runs."""
        sd = np.hypot(RESIDUAL_SD, RESIDUAL_SPEED_SD * self._steep)
        noise = rng.standard_normal((count, len(sd))) * sd
        share = np.zeros((len(self.counts), len(sd)))
        for i, runs in enumerate(self._run):
            np.add.at(share[i], runs[runs >= 0], 1 / max(1, self.counts[i]))
        return noise @ share.T

    def _unseen(self, count: int, rng: np.random.Generator) -> Floats:
        """Where nothing good was seen some may yet be: half a request, on average, in all that was
        measured."""
        nothing = (self.counts > 0) & (np.nansum(self._good, axis=1) == 0)
        seconds = np.maximum(np.nansum(self._seconds, axis=1), 1e-9)
        return np.where(nothing, rng.gamma(0.5, size=(count, len(nothing))) / seconds, 0.0)


def spans(stretch: JudgedStretch) -> Floats:
    """Good requests in each of `SPANS` equal parts of the window, in order."""
    trace = stretch.trace
    index = np.minimum((trace.due_s / trace.duration_s * SPANS).astype(int), SPANS - 1)
    return np.bincount(index[trace.good], minlength=SPANS).astype(float)
