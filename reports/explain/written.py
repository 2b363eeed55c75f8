"""Numbers of signals as people read them."""

from __future__ import annotations

from reports import numbers
from reports.explain.observed import Change
from reports.explain.signal import Unit


def amount(value: float, unit: Unit) -> str:
    """A number with its unit."""
    if numbers.missing(value):
        return numbers.DASH
    if unit is Unit.PER_S:
        return numbers.rate(value)
    if unit is Unit.SECONDS:
        return numbers.seconds(value)
    if unit is Unit.SHARE:
        return numbers.percent(value)
    if unit is Unit.HERTZ:
        return f"{numbers.significant(value / 1e9)} GHz"
    if unit is Unit.BYTES:
        return f"{numbers.significant(value / 2**30)} GiB"
    return f"{numbers.significant(value)} {unit}".strip()


def beside(words: str, unit: Unit, one: Change) -> str:
    """`answer, mean: 412 tokens, usually 205 (× 2.01)`."""
    text = f"{words}: {amount(one.value, unit)}, usually {amount(one.usual, unit)}"
    if one.known and one.usual > 0 and unit is not Unit.SHARE:
        text += f" (× {numbers.significant(one.ratio)})"
    return text
