"""What steps cost when nothing disturbs them: a curve over all seconds of a run, of which many may be slow.

Others only slow an engine down, so the lower side of the seconds is the engine's own. The curve begins as
the regression quantile that an undisturbed part of 65 % would have as its median (iteratively reweighted
least squares; Koenker & Bassett 1978), with a level that may change slowly over the run. Then, again and
again, seconds that lie above it by more than undisturbed ones do are left out and the rest is fitted by least
squares of the relative errors. How far undisturbed ones scatter is read from the lower side alone.

No cost is negative (as in `calibration.fit`), so that compositions nobody else had get the smooth form's
continuation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

Floats = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]

FIRST_QUANTILE = 0.33
"""Where the median of the undisturbed lies if a third of the seconds is disturbed."""
KNOT_S = 600.0
"""Between two knots of the level: much longer than a disturbance."""
LEAST_SD = 0.01
"""Relative; a curve is not better known than this, whatever the scatter."""
TOO_SLOW = 3.0
"""Standard deviations above the curve from which on a second takes no part in it."""
ROUNDS = 5
RIDGE = 1e-8


@dataclass(frozen=True, slots=True)
class Curve:
    """The fit of one engine's seconds.

    Attributes:
        expected_s: of each second's steps at the run's own speed; (n,).
        level: how fast the run was around that second, 1 on average over the kept ones; (n,).
        kept: seconds that the fit is of; (n,).
        misfit_sd, step_sd: the relative scatter of an undisturbed second has the variance
            misfit_sd² + step_sd²/steps.
        gram: of the kept, weighted seconds, with the columns scaled by `scale`; (features, features).
    """

    expected_s: Floats
    level: Floats
    kept: Chosen
    misfit_sd: float
    step_sd: float
    weighted: Floats
    gram: Floats

    def scatter(self, steps: Floats) -> Floats:
        """Relative standard deviation of seconds with so many steps."""
        sd: Floats = np.sqrt(self.misfit_sd**2 + self.step_sd**2 / np.maximum(steps, 1))
        return sd


def fit(work: Floats, seconds: Floats, steps: Floats, at_s: Floats) -> Curve:
    """Fit n seconds of one engine.

    Args:
        work: of each second; (n, features).
        seconds: that it took; (n,).
        steps: in each; (n,).
        at_s: when, on the run's clock; (n,).
    """
    hats = _hats(at_s)
    level = np.ones(len(seconds))
    expected = np.full(len(seconds), 1.0) * seconds
    weights = np.ones(len(seconds))
    for _ in range(ROUNDS):  # the regression quantile
        expected = work @ _non_negative(work * level[:, None], seconds, weights / expected**2)
        off = np.log(seconds / (expected * level))
        weights = _quantile_weights(off)
        level *= np.exp(_smooth(hats, off, weights))
    misfit_sd, step_sd = LEAST_SD, 0.0
    kept = np.ones(len(seconds), bool)
    for _ in range(ROUNDS):
        off = np.log(seconds / (expected * level))
        misfit_sd, step_sd = _scatter(off, steps)
        sd = np.sqrt(misfit_sd**2 + step_sd**2 / np.maximum(steps, 1))
        kept = np.abs(off) < TOO_SLOW * sd
        weights = kept / (sd / misfit_sd) ** 2
        expected = work @ _non_negative(work * level[:, None], seconds, weights / (expected * level) ** 2)
        off = np.log(seconds / (expected * level))
        level *= np.exp(_smooth(hats, off, weights))
        level /= np.exp(np.average(np.log(level), weights=weights))
    weighted = work * (np.sqrt(weights) / expected)[:, None]
    return Curve(expected, level, kept, misfit_sd, step_sd, weighted, weighted.T @ weighted)


def _non_negative(design: Floats, wanted: Floats, weights: Floats) -> Floats:
    """argmin over x ≥ 0 of Σ weights·(design·x − wanted)², from the root of the normal equations."""
    root_weights = np.sqrt(weights)
    scaled = design * root_weights[:, None]
    scale = np.linalg.norm(scaled, axis=0)
    scale[scale == 0] = 1
    scaled /= scale
    gram = scaled.T @ scaled
    upper = np.linalg.cholesky(gram + RIDGE * len(gram) * np.eye(len(gram))).T
    found, _ = nnls(upper, np.linalg.solve(upper.T, scaled.T @ (wanted * root_weights)))
    return np.asarray(found / scale, dtype=np.float64)


def _quantile_weights(off: Floats) -> Floats:
    """Of least squares that make a regression quantile; near the curve bounded."""
    side = np.where(off > 0, FIRST_QUANTILE, 1 - FIRST_QUANTILE)
    return side / np.maximum(np.abs(off), LEAST_SD)


def _hats(at_s: Floats) -> Floats:
    """A piecewise linear function of time at these times, as one column a knot; (n, knots)."""
    first, last = float(at_s.min()), float(at_s.max())
    knots = np.linspace(first, max(last, first + 1.0), 2 + int((last - first) / KNOT_S))
    columns: Floats = np.array([np.interp(at_s, knots, row) for row in np.eye(len(knots))]).T
    return columns


def _smooth(hats: Floats, off: Floats, weights: Floats) -> Floats:
    """The level that is in `off`, each knot drawn a little towards none."""
    gram = hats.T @ (hats * weights[:, None])
    penalty = 0.02 * float(weights.sum()) / len(gram) * np.eye(len(gram))
    found: Floats = hats @ np.linalg.solve(gram + penalty, hats.T @ (off * weights))
    return found


def _scatter(off: Floats, steps: Floats) -> tuple[float, float]:
    """(misfit_sd, step_sd) from the lower side: what lies below the most frequent value lies above it, too,
    where nothing disturbs.
    """
    below = -off[off < 0]
    if len(below) < 8:
        return 2 * LEAST_SD, 0.0
    sd = max(LEAST_SD, 1.4826 * float(np.median(below)))
    return sd, 0.0
