"""The interval of a share, for attainment and goodput of a single cell."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of hits / n, both ends in [0, 1]; (nan, nan) when n is 0 or unknown.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), p = hits / n (E. B. Wilson, JASA 22, 1927, 209–212).
    It takes requests as independent, which neighbours in a queue are not: the truth is wider, and the
    report says so.
    """
    if not (math.isfinite(hits) and math.isfinite(n)) or n <= 0:
        return math.nan, math.nan
    p, z2 = hits / n, Z_95**2
    middle = p + z2 / (2 * n)
    half = Z_95 * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n)))
    scale = 1 + z2 / n
    # At the ends the formula gives 0 and 1 up to rounding; say so exactly.
    low = 0.0 if hits <= 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if hits >= n else min(1.0, (middle + half) / scale)
    return low, high
