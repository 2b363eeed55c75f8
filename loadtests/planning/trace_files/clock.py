"""Stamps of a file on one clock: numbers, or dates with their time zones; every row has the same kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loadtests.planning.trace_files.cells import CellError, number

_DATE = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T]+(\d{1,2}:\d{2})(:\d{2}(?:[.,]\d+)?)?\s*(.*)", re.ASCII
)
A_DATE = (
    "a date such as 2023-11-16 18:15:46.68 or 2023/11/16 18:15:46, with a zone such as -05:00 where there is "
    "one"
)
_EXPECTED = f"must be a finite number >= 0, or {A_DATE}"
_ZONES = {"utc": "+00:00", "gmt": "+00:00"}


@dataclass(slots=True)
class Clock:
    """Reads stamps, and keeps what they have in common.

    A date becomes seconds after the whole second of the first one. `decimal`: some number was written with a
    point; `fraction`: some number was not whole.
    """

    decimal: bool = False
    fraction: bool = False
    whole_minutes: bool = True
    dates: bool | None = None
    zones: set[str] = field(default_factory=set)
    _zoned: bool = False
    _origin: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def stamp(self, value: object) -> float:
        """A number as it stands, a date in seconds.

        Raises:
            CellError: it is neither, or not what the rows before it had.
        """
        try:
            stamp = number(value)
        except CellError:
            if isinstance(value, str) and not _is_number(value):
                return self._date(value)
            raise
        if self.dates:
            raise CellError("must be a date, as in the rows before")
        self.dates = False
        if not isinstance(value, int):
            self.decimal |= isinstance(value, float) or "." in str(value)
            self.fraction |= not stamp.is_integer()
        return stamp

    def _date(self, text: str) -> float:
        moment, zone = _parsed(text)
        if self.dates is False:
            raise CellError("must be a number, as in the rows before")
        zoned = zone != ""
        if self.dates is None:
            self.dates, self._zoned, self._origin = True, zoned, moment.replace(microsecond=0)
        elif zoned != self._zoned:
            raise CellError(f"must {'have a' if self._zoned else 'have no'} time zone, as in the rows before")
        self.zones.add(zone)
        self.whole_minutes &= moment.second == 0 and moment.microsecond == 0
        return (moment - self._origin).total_seconds()

    @property
    def notes(self) -> list[str]:
        """What was done with dates, in words."""
        if not self.dates:
            return []
        if not self._zoned:
            return ["the dates carry no time zone: their differences are taken as they stand"]
        if len(self.zones) > 1:
            return [f"dates in {len(self.zones)} time zones put on one clock"]
        return []


def _is_number(text: str) -> bool:
    """Whether it is one to Python, so that it is no date: nan, -1 and 1_000 are."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> tuple[datetime, str]:
    """The moment (in UTC where no zone is given) and the zone as +HH:MM, "" for none. Raises CellError."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise CellError(_EXPECTED)
    year, month, day, hour_minute, second, zone = match.groups()
    iso = f"{year}-{int(month):02}-{int(day):02}T{hour_minute:0>5}{second or ''}"
    try:
        moment = datetime.fromisoformat(iso + _ZONES.get(zone.lower(), zone))
    except ValueError:
        raise CellError(_EXPECTED) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC), ""
    return moment, str(moment.tzinfo)
