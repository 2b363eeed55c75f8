"""A share and its interval."""

from __future__ import annotations

import pytest

from loadtests.recording.share import wilson


def test_wilsons_interval_is_the_published_one() -> None:
    """The score interval of 81 of 263 and 0 of 20 (Newcombe, Statistics in Medicine 17, 1998, table I)."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 20)[0] == 0.0
