"""Spans of time as people write them: `90s`, `20m`, `1h30m`, or bare seconds."""

import math
import re

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


def parse_s(text: str) -> float:
    """Seconds of `text`, always > 0.

    Raises:
        ValueError: with a sentence naming the text and what is allowed.
    """
    clean = text.strip().lower()
    try:
        seconds = float(clean)
    except ValueError:
        parts = _PART.findall(clean)
        if not parts or "".join(number + unit for number, unit in parts) != clean:
            raise ValueError(f"{text!r} is not a span of time; write 90s, 20m or 1h30m") from None
        seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is not a span of time above zero; write 90s, 20m or 1h30m")
    return seconds


def about(seconds: float) -> str:
    """`757` → `13 min`, `34` → `40 s`: an estimate, rounded up; for people."""
    step_s = 60 if seconds > 60 else 10
    return show(step_s * math.ceil(seconds / step_s))


def show(seconds: float) -> str:
    """`95` → `1 min 35 s`; for people."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {secs} s" if secs else f"{minutes} min"
    return f"{secs} s"
