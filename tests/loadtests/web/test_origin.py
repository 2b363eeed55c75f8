"""Which requests come from a page of another site."""

from __future__ import annotations

import pytest

from loadtests.web.origin import foreign

HOST = {"Host": "127.0.0.1:8089"}


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("POST", {}, False),
        ("POST", {"Origin": "http://127.0.0.1:8089"}, False),
        ("POST", {"Origin": "https://127.0.0.1:8089"}, False),
        ("POST", {"Origin": "http://127.0.0.1:3000"}, True),
        ("POST", {"Origin": "http://example.com"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, True),
        ("GET", {"Origin": "http://example.com"}, True),
    ],
)
def test_as_browsers_mark_it(method: str, headers: dict[str, str], expected: bool) -> None:
    """A TLS proxy in front changes the scheme, not the name."""
    assert foreign(method, {**HOST, **headers}) is expected
