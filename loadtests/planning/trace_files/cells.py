"""One value of a row, checked: what it must be is said with the error."""

from __future__ import annotations

MAX_TOKENS = 100_000_000
MAX_STAMP = 1e19
"""Nanoseconds since 1970 are the largest stamps there are; they end in the year 2286."""


class CellError(ValueError):
    """The value of one cell is wrong: `allowed` says what it must be."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


def number(value: object) -> float:
    """A finite number ≥ 0, from JSON or text. Raises CellError."""
    allowed = "must be a finite number >= 0"
    # True is a number to Python, and so is "1_000"; to nobody who writes traces.
    if isinstance(value, bool) or not isinstance(value, str | float | int) or "_" in str(value):
        raise CellError(allowed)
    try:
        finite = float(value)
    except (ValueError, OverflowError):
        raise CellError(allowed) from None
    if not 0 <= finite <= MAX_STAMP:
        raise CellError(allowed)
    return finite


def tokens(value: object) -> int:
    """A whole number of tokens; 374.0, which tables write after a merge, is 374. Raises CellError."""
    if type(value) is int and 0 <= value <= MAX_TOKENS:
        return value
    allowed = f"must be a whole number of tokens from 0 to {MAX_TOKENS:,}"
    try:
        count = number(value)
    except CellError:
        raise CellError(allowed) from None
    if count > MAX_TOKENS or not count.is_integer():
        raise CellError(allowed)
    return int(count)


def label(value: object) -> str:
    """A name of a session, a prefix or a class; "" for none. A table of pandas writes none as nan, and 7
    beside it as 7.0: that is 7."""
    text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
    if len(text) <= 4 and text.lower() in ("", "nan", "none", "null"):
        return ""
    whole, point, _ = text.partition(".0")
    return whole if point and text == f"{whole}.0" and whole.lstrip("-").isdecimal() else text


def shown(value: object) -> str:
    """The value as a sentence shows it: quoted, at most 40 characters."""
    text = repr(value)
    return text if len(text) <= 42 else f"{text[:40]}…"
