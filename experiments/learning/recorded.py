"""A recording's folder, or a stretch of it, ready to be learned from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from experiments.errors import UserError
from experiments.learning import production
from experiments.learning.production import Production
from experiments.spec.setting import Setting
from loadtests.traffic.segments import EVER, Span, TrafficError
from loadtests.traffic.traffic import Traffic
from loadtests.traffic.when import Times

OTHER_LIMITS = 0.02
"""Part of the requests that may have come under limits of another version."""
MANY = 0.01
"""Part of the requests from which on a property of theirs is worth a remark."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`production` in the span of Unix seconds; `notes`: what is not as it was, in sentences."""

    folder: Path
    production: Production
    from_unix_s: float
    until_unix_s: float
    notes: tuple[str, ...]


def read(folder: Path, times: Times) -> Recorded:
    """The rows of that time.

    Raises:
        UserError: there are none, or they were served under several settings.
    """
    from loadtests.traffic import table  # pyarrow, which no --help needs

    try:
        whole = table.traffic(folder)
        first_s, last_s = (float(whole.arrived_unix_s[k]) for k in (0, -1))
        span = times.span(first_s, last_s)
        traffic = whole if span == EVER else table.traffic(folder, span)
    except TrafficError as error:
        raise UserError(f"--recorded {error}") from None
    _check_limits(traffic, span)
    first_s, last_s = (float(traffic.arrived_unix_s[k]) for k in (0, -1))
    return Recorded(folder, production.of(traffic, folder.name), first_s, last_s, tuple(_notes(traffic)))


def check_current(recorded: Recorded, setting: Setting) -> None:
    """Raises UserError where the recording shows that this setting was not in force."""
    seen = most_at_once(recorded.production)
    if seen > setting.limits.max_active:
        raise UserError(
            f"--current MAX_ACTIVE={setting.limits.max_active}: the recording has {seen} requests that held "
            "a slot at once; give the setting that was in force then"
        )


def most_at_once(seen: Production) -> int:
    """Requests that held a slot at once, but for rare moments: an end and the next begin may be noted in
    either order."""
    ran = seen.where(seen.running)
    if not len(ran):
        return 0
    begin_s, end_s = np.sort(ran.granted_s), np.sort(ran.last_s)
    there = np.arange(1, len(begin_s) + 1) - np.searchsorted(end_s, begin_s + 0.005, side="right")
    return int(np.quantile(there, 0.99))


def _check_limits(traffic: Traffic, span: Span) -> None:
    versions, counts = np.unique(traffic.limits_version[traffic.limits_version >= 0], return_counts=True)
    if len(versions) > 1 and counts.max() < (1 - OTHER_LIMITS) * counts.sum():
        last = traffic.limits_version == versions[-1]
        since = datetime.fromtimestamp(float(traffic.arrived_unix_s[last][0]), UTC).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        raise UserError(
            f"the limits changed {len(versions) - 1} times in that stretch: the last ones are in force since "
            f"--from {since}"
        )


def _notes(traffic: Traffic) -> list[str]:
    found = []
    several = float((traffic.slots > 1).mean())
    if several > MANY:
        found.append(
            f"{several:.0%} of the requests ask for several answers, and are played as that many requests"
        )
    if len(traffic.lane.counts()) > 1:
        found.append("lanes are played as one line: the model has no classes")
    quiet = float((np.isnan(traffic.first_s) & traffic.measured).mean())
    if quiet > MANY:
        found.append(
            f"{quiet:.0%} of the requests were answered in one piece: they are played, and tell of no step"
        )
    if traffic.damaged:
        found.append(f"{traffic.damaged} damaged lines left out")
    return found
