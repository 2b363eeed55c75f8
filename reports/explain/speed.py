"""How much slower the engine was than the load on it explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.explain.observed import Observed
from reports.explain.signal import Signal

Floats = NDArray[np.float64]

_FEWEST = 20
_LOADS = (Signal.RUNNING, Signal.PROMPT_RATE)


def expected(observed: Observed, of: Signal, loads: tuple[Signal, ...] = _LOADS) -> Floats:
    """What `of` would have been at the load of each bin, (stretches, bins): linear in what ran at the engine
    and in the prompt tokens that came, neither of which makes anything faster. Fitted to the usual bins by
    non-negative least squares (Lawson and Hanson, 1974); nan where there are too few.
    """
    import scipy.optimize

    columns = np.stack([np.ones_like(observed.of(of)), *(observed.of(load) for load in loads)])
    values = observed.of(of)
    known = np.isfinite(values) & np.isfinite(columns).all(axis=0)
    known[0] = False
    if known.sum() < _FEWEST:
        return np.full(values.shape, np.nan)
    design, aim = columns[:, known].T, values[known]
    # One that a disturbed hour spoiled must not bend the line.
    middle = np.median(aim)
    kept = np.abs(aim - middle) < 5 * max(1.4826 * float(np.median(np.abs(aim - middle))), 0.02 * middle)
    scale = np.maximum(np.abs(design[kept]).mean(axis=0), 1e-12)
    weights, _ = scipy.optimize.nnls(design[kept] / scale, aim[kept])
    found: Floats = np.tensordot(weights / scale, columns, axes=1)
    return found


def slowdown(observed: Observed, of: Signal) -> Floats:
    """Logarithm of `of` over what its load lets expect, (stretches, bins)."""
    values, usual = observed.of(of), expected(observed, of)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.log(values / usual)
    return np.where(np.isfinite(found), found, np.nan)
