"""Parts of a recording, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from loadtests.traffic.segments import EVER, Span, TrafficError
from loadtests.traffic.when import Times

FIRST_S = datetime(2026, 11, 29, 22, 0, tzinfo=UTC).timestamp()
LAST_S = datetime(2026, 11, 30, 15, 30, tzinfo=UTC).timestamp()
TWO = datetime(2026, 11, 30, 14, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-30T14:00", "2026-11-30T14:00Z", "2026-11-30 15:00+01:00"),
        *("14:00", "16h", "15h60m", f"{TWO:.0f}"),
    ],
)
def test_one_moment_in_every_spelling(text: str) -> None:
    """A clock is of the last day, a span counts from the first request, without a zone it is UTC."""
    assert Times(text, "").span(FIRST_S, LAST_S) == Span(TWO, EVER.until_s)
    assert Times("", text).span(FIRST_S, LAST_S) == Span(EVER.from_s, TWO)


def test_bare_seconds_and_nothing() -> None:
    assert Times("90", "2m").span(FIRST_S, LAST_S) == Span(FIRST_S + 90, FIRST_S + 120)
    assert Times().span(FIRST_S, LAST_S) == EVER


@pytest.mark.parametrize("text", ["tomorrow", "25:00", "14:61", "10x", "-5m", "m", "2026-13-01T00:00"])
def test_what_is_no_time_is_told_with_what_is(text: str) -> None:
    with pytest.raises(TrafficError, match=r"--to '.*': write a date and time"):
        Times("", text)


def test_an_end_before_the_begin() -> None:
    with pytest.raises(TrafficError, match="--from 15:00 --to 14:00: ends before it begins"):
        Times("15:00", "14:00").span(FIRST_S, LAST_S)
