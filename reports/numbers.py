"""Numbers for people: `412 ms`, `7.92/s`, `97.3 %`. Data stays in seconds; only text is rounded here.

Every function takes None or nan for "there is no such number" and answers with a dash.
"""

from __future__ import annotations

import math

DASH = "–"
ROUNDING = 1e-12


def missing(value: float | None) -> bool:
    """Whether there is no number to show."""
    return value is None or not math.isfinite(value)


def significant(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits without an exponent: 0.0412, 3.21, 1234."""
    if value is None or missing(value):
        return DASH
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    if decimals and len(text.lstrip("-0.").replace(".", "")) > digits:  # 9.999 became 10.00
        text = f"{value:.{decimals - 1}f}"
    return text


def seconds(value: float | None) -> str:
    """A span in seconds, as µs below 1 ms, ms below 1 s, s below 2 min, min above; three digits."""
    if value is None or missing(value):
        return DASH
    size = abs(value)
    if size == 0:
        return "0 ms"
    if size < 0.0009995:
        return f"{significant(value * 1e6)} µs"
    if size < 0.9995:
        return f"{significant(value * 1e3)} ms"
    if size < 119.5:
        return f"{significant(value)} s"
    return f"{significant(value / 60)} min"


def rate(value: float | None) -> str:
    """Events per second: `7.92/s`."""
    return DASH if value is None or missing(value) else f"{significant(value)}/s"


def asked(value: float | None) -> str:
    """A rate somebody typed: `9/s`, without zeros that nobody asked for."""
    return DASH if value is None or missing(value) else f"{value:.3g}/s"


def percent(ratio: float | None) -> str:
    """A ratio as a percentage with one decimal; 0 % and 100 % only when it is that, up to `ROUNDING`."""
    if ratio is None or missing(ratio):
        return DASH
    if min(abs(ratio), abs(ratio - 1)) < ROUNDING:
        return f"{ratio * 100:.0f} %"
    if 0.9995 <= ratio < 1:
        return "> 99.9 %"
    if 0 < ratio < 0.0005:
        return "< 0.1 %"
    return f"{ratio * 100:.1f} %"


def count(value: float | None) -> str:
    """A whole number with thin groups: 12 345."""
    return DASH if value is None or missing(value) else f"{value:,.0f}".replace(",", "\u202f")


def between(low: float | None, high: float | None, show: str = "s") -> str:
    """An interval, `380–450 ms`; empty when either end is missing. `show` is "s", "rate" or "percent"."""
    if missing(low) or missing(high):
        return ""
    text = {"s": seconds, "rate": rate, "percent": percent}[show]
    left, right = text(low), text(high)
    for unit in (" ms", " s", " µs", " min", "/s", " %"):
        if left.endswith(unit) and right.endswith(unit):
            left = left.removesuffix(unit)
    return f"{left}–{right}" if left[-1].isdigit() else f"{left} – {right}"


def bare(value: float | int | str | None) -> str:
    """A setting's value as a person would type it: 2, 0.5, reject."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    return f"{value:g}" if isinstance(value, float) else str(value)
