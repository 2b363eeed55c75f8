"""Figures of several rounds as cells of a Markdown table."""

import statistics
from collections.abc import Sequence


def head(*titles: str) -> list[str]:
    """The first two lines of a table."""
    return [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]


def median(values: Sequence[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def number(value: float | None, digits: int = 1) -> str:
    """With thousands set off; a dash for what was not measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


def with_range(values: Sequence[float], digits: int) -> str:
    """Median, least and most."""
    if not values:
        return "–"
    least, most = (f"{edge:,.{digits}f}" for edge in (min(values), max(values)))
    return f"{statistics.median(values):,.{digits}f} [{least} to {most}]"
