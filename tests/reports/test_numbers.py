"""Numbers for people."""

import math

import pytest

from reports import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 ms"),
        (0.000_412, "412 µs"),
        (0.000_999_6, "1.00 ms"),
        (0.0412, "41.2 ms"),
        (0.412, "412 ms"),
        (0.9996, "1.00 s"),
        (3.21, "3.21 s"),
        (9.999, "10.0 s"),
        (119.0, "119 s"),
        (180.0, "3.00 min"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_spans_change_their_unit_at_round_numbers(value: float | None, text: str) -> None:
    """A reader compares spans by their unit first, so 0.9996 s must not read `1000 ms`."""
    assert numbers.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100 %"),
        (1 - 1e-15, "100 %"),
        (0.9999, "> 99.9 %"),
        (0.951, "95.1 %"),
        (0.0001, "< 0.1 %"),
        (0.0, "0 %"),
        (None, "–"),
    ],
)
def test_a_share_never_rounds_to_all_or_nothing(value: float | None, text: str) -> None:
    """One late request in ten thousand is not `100 %`."""
    assert numbers.percent(value) == text


def test_intervals_name_their_unit_once_when_both_ends_share_it() -> None:
    """`380–450 ms`, but both units where they differ."""
    assert numbers.between(0.38, 0.45) == "380–450 ms"
    assert numbers.between(0.95, 1.2) == "950 ms – 1.20 s"
    assert numbers.between(7.0, 8.5, "rate") == "7.00–8.50/s"
    assert numbers.between(0.98, 1.0, "percent") == "98.0–100 %"
    assert numbers.between(None, 0.4) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0.04123, "0.0412"), (9.996, "10.0"), (1234.5, "1234"), (0, "0")]
)
def test_three_significant_digits(value: float, text: str) -> None:
    """Never an exponent, never a fourth digit after the point."""
    assert numbers.significant(value) == text
