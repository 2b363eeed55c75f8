"""Ratios of goodputs between all settings that met the same arrivals, each with its standard error.

The window of a stretch is cut into spans longer than a request lives, so that what one span holds says little
about the next; spans of one trace are paired across settings, and what the arrivals do to both cancels. The
ratio of two means and its error are those of the ratio estimator (Cochran 1977, section 6.3): with
R = Σx / Σy over n common spans,

    se(R)² = n · var(x − R·y) / (Σy)²

A handful of spans knows its variance badly, and hundreds of pairs look at once. So the variances are
*moderated* (Smyth 2004): taken relative to what counts would have, x̄ + R²·ȳ, each is averaged with the
median of all pairs, which weighs as much as `PRIOR_FREEDOM` spans, and the t law has as many degrees of
freedom more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PRIOR_FREEDOM = 10.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedRatios:
    """Of every setting to every other, shape (settings, settings) each.

    Attributes:
        value: goodput of the row's setting over that of the column's, on their common spans; nan without any,
            inf where only the column's had nothing good, 1 where both had nothing.
        error: standard error of `value`; nan and inf as that.
        freedom: degrees of freedom of the error.
    """

    value: Floats
    error: Floats
    freedom: Floats


def paired_ratios(good: Floats) -> PairedRatios:
    """Compare the rows of `good`: good requests by setting and span, shape (settings, spans); nan where a
    setting did not run."""
    there = ~np.isnan(good)
    x = np.where(there, good, 0.0)
    mask = there.astype(float)
    n = mask @ mask.T
    sums = x @ mask.T
    squares = (x * x) @ mask.T
    nothing = (sums == 0) & (sums.T == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(nothing, 1.0, sums / sums.T)
        # Residuals x − R·y have mean zero by the choice of R, so their squares are their variance.
        residual = np.maximum(squares - 2 * value * (x @ x.T) + value**2 * squares.T, 0.0) / (n - 1)
        expected = (sums + value**2 * sums.T) / n
        spread = np.where(expected > 0, residual / expected, 0.0)
    known = (n > 1) & np.isfinite(spread) & ~np.eye(len(good), dtype=bool)
    usual = float(np.median(spread[known])) if known.any() else 1.0
    freedom = np.maximum(n - 1, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(n > 1, spread, 0.0)
        moderated = (PRIOR_FREEDOM * usual + freedom * own) / (PRIOR_FREEDOM + freedom)
        error = np.sqrt(moderated * expected * n) / sums.T
    error = np.where(nothing, 0.0, error)
    unknown = n == 0
    return PairedRatios(
        np.where(unknown, np.nan, value), np.where(unknown, np.nan, error), freedom + PRIOR_FREEDOM
    )
