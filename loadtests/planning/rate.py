"""Rates as people write them: `4.5` requests per second, or `0.7x`, a multiple of something known."""

from __future__ import annotations

RECORDED = "recorded"
"""The scenario whose relative rates are multiples of what was recorded."""


def parse_rate(text: str) -> tuple[float | None, float | None]:
    """`4.5` → (4.5, None) requests per second; `0.7x` → (None, 0.7) of capacity, or of a recording's rate.

    Raises:
        ValueError: with a sentence naming the text and what is allowed.
    """
    clean = str(text).strip().lower()
    relative = clean.endswith("x")
    try:
        number = float(clean[:-1] if relative else clean)
    except ValueError:
        number = float("nan")
    if not 0 < number < 1e6:
        raise ValueError(
            f"rate {text!r}: write requests per second above 0 (4.5) or a multiple of capacity (0.7x)"
        )
    return (None, number) if relative else (number, None)
