"""The unit of stamps that are numbers: told, known, evident, or asked for."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from loadtests.planning.mix import Floats
from loadtests.planning.trace_files.clock import Clock
from loadtests.planning.trace_files.trace import TraceError


class TraceUnit(StrEnum):
    """What the user says of a trace's stamps; `auto`: the file shall tell."""

    AUTO = "auto"
    SECONDS = "s"
    MILLISECONDS = "ms"


_NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}
_SCALES = {TraceUnit.SECONDS: 1.0, TraceUnit.MILLISECONDS: 1e-3}
_BUSY_PER_S = 100.0
_IDLE_PER_S = 0.01
"""Mean rates outside this range are taken as a sign of the wrong unit where nothing else tells it."""


def seconds_of(
    stamps: Floats, clock: Clock, given: TraceUnit, known: TraceUnit | None, why: str
) -> tuple[Floats, float, list[str]]:
    """The stamps (n,) in seconds, their unit in seconds, and notes on what was taken and why.

    Args:
        stamps: as `clock` read them; nan for a row without one.
        given: what the user said.
        known: the unit that the file's format defines, with the reason in `why`; None: it defines none.

    Raises:
        TraceError: the file leaves it open.
    """
    if clock.dates:
        unused = [] if given is TraceUnit.AUTO else ["the stamps are dates: the given unit is not used"]
        return stamps, 1.0, [*clock.notes, *unused]
    if given is not TraceUnit.AUTO:
        scale = _SCALES[given]
        return stamps * scale, scale, [f"stamps taken as {_NAMES[scale]}, as told"]
    scale, reason = _evident(stamps, clock, known, why)
    note = f"stamps taken as {_NAMES[scale]}: {reason}" if reason else ""
    rate_per_s = _rate_per_s(stamps, scale)
    if known is TraceUnit.MILLISECONDS and scale == 1e-3 and rate_per_s > _BUSY_PER_S:
        note += f"; that is {rate_per_s:.3g} requests/s: if they are seconds, say --trace-unit s"
    return stamps * scale, scale, [note] if note else []


def _evident(stamps: Floats, clock: Clock, known: TraceUnit | None, why: str) -> tuple[float, str]:
    """The scale to seconds, and why ("" where nobody would ask)."""
    if (epoch := since_1970(stamps)) is not None:
        return epoch, "they count from 1970"
    if known is not None:
        return _SCALES[known], why
    as_seconds_per_s, as_milliseconds_per_s = _rate_per_s(stamps, 1.0), _rate_per_s(stamps, 1e-3)
    if as_seconds_per_s == 0:
        return 1.0, ""  # all at once, in any unit
    slow = as_seconds_per_s < _IDLE_PER_S
    if slow and not clock.fraction:
        return 1e-3, f"as seconds they would be one request in {1 / as_seconds_per_s:.0f} s"
    if as_milliseconds_per_s > _BUSY_PER_S:
        return 1.0, f"as milliseconds they would be {as_milliseconds_per_s:.3g} requests/s"
    if clock.decimal and not slow:
        return 1.0, "they are written with decimals"
    raise TraceError("does not tell whether its stamps are seconds or milliseconds: say --trace-unit s or ms")


def _rate_per_s(stamps: Floats, scale: float) -> float:
    """Mean rate of the gaps, 0 where there is none."""
    known = stamps[np.isfinite(stamps)]
    span_s = float(known.max() - known.min()) * scale if len(known) else 0.0
    return (len(known) - 1) / span_s if span_s > 0 else 0.0


def since_1970(stamps: Floats) -> float | None:
    """The scale of stamps that all lie between the years 2001 and 2286, None for others."""
    known = stamps[np.isfinite(stamps)]
    for scale in _NAMES:
        if len(known) and known.min() * scale >= 1e9 and known.max() * scale < 1e10:
            return scale
    return None
