"""The gauges of the live page, from whatever a gateway or an engine answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from loadtests.reach.endpoint import Endpoint
from loadtests.recording import scrape
from tests.answering import Page
from tests.answering import answering as serving

PAGE = b'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_running{engine="1"} 1e0 1700\n'


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """URL of a page that is this."""
    with serving(lambda _: Page(body, status)) as url:
        yield f"{url}/metrics"


def read(url: str) -> dict[str, float]:
    page = scrape.Page(Endpoint.parse(url), scrape.ENGINE)
    with closing(page):
        return page.read()


@pytest.mark.parametrize(
    ("body", "status", "values"),
    [
        (PAGE, 200, {"engine_running": 4.0}),
        (PAGE, 502, {}),
        (b"<!doctype html><p>vllm:num_requests_running 4</p>", 200, {}),
        (PAGE + b'vllm:num_requests_running{engine="2"} many\n', 200, {}),
        (PAGE + b'vllm:num_requests_running{engine="2"} 1.2.3\n', 200, {}),
        (PAGE + b"vllm:num_requests_waiting NaN\n", 200, {"engine_running": 4.0}),
        (b"\x1f\x8b\x08\x00garbage\xff\xfe", 200, {}),
        (b"", 200, {}),
    ],
)
def test_only_numbers_of_a_metrics_page_are_shown(body: bytes, status: int, values: dict[str, float]) -> None:
    """The load goes on whatever is answered; what is no number is not reported, nor is a sum with it."""
    with answering(body, status) as url:
        assert read(url) == values


def test_a_page_without_end_is_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for every second."""
    monkeypatch.setattr(scrape, "_MOST_BYTES", len(PAGE))
    with answering(PAGE + b"vllm:num_requests_waiting 7\n" * 10) as url:
        assert read(url) == {"engine_running": 4.0}
