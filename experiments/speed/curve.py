"""What steps cost when nothing disturbs them: a curve over all seconds of a run, of which many may be slow.

Others only slow an engine down, so the lower side of the seconds is the engine's own. The curve begins as a
low regression quantile (iteratively reweighted least squares; Koenker & Bassett 1978), together with a level
that may change slowly over the run. From there it grows: seconds that lie near it are fitted by least squares
of the relative errors, what lies near the new curve is fitted again, and so on, until what is left lies apart
(trimmed least squares by concentration; Rousseeuw & van Driessen 2006). Two fifths of the seconds may be
slow.

No cost is negative (as in `calibration.fit`), so that compositions nobody else had get the smooth form's
continuation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from experiments.speed.cell_steps import TOKENS
from experiments.speed.steps import Floats

Chosen = npt.NDArray[np.bool_]

QUANTILE = 0.2
"""Of the first curve; the median of the undisturbed lies above it even if half of the seconds are slow."""
KNOT_S = 600.0
"""Between two knots of the level: much longer than a disturbance."""
LEAST_SD, MOST_SD = 0.01, 0.05
"""Relative scatter of undisturbed seconds: not believed to be smaller, nor larger."""
TOO_SLOW = 3.0
"""Standard deviations above the curve from which on a second takes no part in it; below it, twice as many."""
ROUNDS = 5
RIDGE = 1e-8


@dataclass(frozen=True, slots=True)
class Curve:
    """The fit of n seconds of one engine.

    Attributes:
        expected_s: of each second's steps at the run's own undisturbed speed; (n,).
        level: how many times slower the run was around that second, 1 on average; (n,).
        scatter: relative standard deviation of each second, were it undisturbed; (n,).
        kept: the seconds that the curve is of; (n,).
        per_token_s: what a token costs in the largest steps, seconds.
    """

    expected_s: Floats
    level: Floats
    scatter: Floats
    kept: Chosen
    per_token_s: float


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
    expected_s, weights = seconds, np.ones(len(seconds))
    for _ in range(ROUNDS):
        expected_s = work @ _non_negative(work * level[:, None], seconds, weights / expected_s**2)
        off = np.log(seconds / (expected_s * level))
        weights = _quantile_weights(off)
        level = level * np.exp(_smooth(hats, off, weights))
    # A mean over few steps scatters more.
    few = np.sqrt(np.maximum(1.0, np.median(steps) / np.maximum(steps, 1.0)))
    scatter, kept = MOST_SD * few, np.ones(len(seconds), bool)
    costs = np.zeros(work.shape[1])
    for _ in range(ROUNDS):
        off = np.log(seconds / (expected_s * level))
        kept = (off < TOO_SLOW * scatter) & (off > -2 * TOO_SLOW * scatter)
        weights = kept / few**2
        sd = float(np.clip(1.4826 * np.median(np.abs(off / few)[kept]), LEAST_SD, MOST_SD))
        scatter = sd * few
        modelled_s = expected_s * level
        costs = _non_negative(work * level[:, None], seconds, weights / modelled_s**2)
        expected_s = work @ costs
        level = level * np.exp(_smooth(hats, np.log(seconds / (expected_s * level)), weights))
    mean = float(np.exp(np.average(np.log(level), weights=weights)))
    return Curve(expected_s * mean, level / mean, scatter, kept, float(costs[TOKENS].sum()) * mean)


def unlike(work: Floats, fitted: Curve, parts: Sequence[slice]) -> Floats:
    """How badly the others know the seconds of each part: standard deviation of the part's whole expected
    time, relative, were the curve fitted without it; (parts,).

    What nobody else had is believed to cost from nothing up to what tokens cost in the largest steps, or, of
    other kinds of work, up to all of the time.
    """
    relative = work / fitted.expected_s[:, None]
    kept = relative * fitted.kept[:, None]
    gram = kept.T @ kept
    share = relative.mean(axis=0)
    believed = np.where(share > 0, 1 / np.maximum(share, 1e-12), 0.0)
    believed[TOKENS] = np.minimum(believed[TOKENS], fitted.per_token_s)
    variance = float(np.median(fitted.scatter)) ** 2
    found = []
    for part in parts:
        if part.stop == part.start:
            found.append(0.0)
            continue
        others = gram - kept[part].T @ kept[part]
        mean = work[part].sum(axis=0) / fitted.expected_s[part].sum() * believed
        known = others * np.outer(believed, believed) / variance + np.eye(len(gram))
        found.append(float(np.sqrt(mean @ np.linalg.solve(known, mean))))
    return np.array(found)


def _non_negative(design: Floats, wanted: Floats, weights: Floats) -> Floats:
    """argmin over x ≥ 0 of Σ weights·(design·x − wanted)², from the root of the normal equations."""
    root_weights = np.sqrt(weights)
    scaled = design * root_weights[:, None]
    scale = np.linalg.norm(scaled, axis=0)
    scale[scale == 0] = 1
    scaled /= scale
    gram = scaled.T @ scaled
    upper = np.linalg.cholesky(gram + RIDGE * len(gram) * np.eye(len(gram))).T
    found, _ = scipy.optimize.nnls(upper, np.linalg.solve(upper.T, scaled.T @ (wanted * root_weights)))
    return np.asarray(found / scale, dtype=np.float64)


def _quantile_weights(off: Floats) -> Floats:
    """Of least squares that make a regression quantile; near the curve bounded."""
    side = np.where(off > 0, QUANTILE, 1 - QUANTILE)
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
