"""The interval of a share."""

import math

_Z_95 = 1.959963984540054


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of hits / n, both ends in [0, 1]; n above 0, both may be effective sizes.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), p = hits / n (E. B. Wilson, JASA 22, 1927, 209–212).
    It takes requests as independent, which neighbours in a queue are not: the truth is wider.
    """
    p, z2 = hits / n, _Z_95**2
    middle = p + z2 / (2 * n)
    half = _Z_95 * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n)))
    scale = 1 + z2 / n
    # At the ends the formula gives 0 and 1 up to rounding; say so exactly.
    low = 0.0 if hits <= 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if hits >= n else min(1.0, (middle + half) / scale)
    return low, high
