"""What is asked of a Prometheus about one cell's window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from experiments.observe.prometheus import ServerMetrics
from tests.answering import Page
from tests.answering import answering as serving


@contextmanager
def empty_prometheus() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """URL of one that has no series, and the parameters of every range it was asked for."""
    asked: list[dict[str, str]] = []

    def answer(path: str) -> Page:
        query = dict(parse_qsl(urlsplit(path).query))
        if "start" in query:
            asked.append(query)
        nothing = {"status": "success", "data": {"resultType": "matrix", "result": []}}
        return Page(json.dumps(nothing).encode())

    with serving(answer) as url:
        yield url, asked


@pytest.mark.parametrize(("start_s", "end_s"), [(100.2, 109.8), (100.6, 109.4), (100.0, 109.0)])
def test_a_window_is_never_widened(start_s: float, end_s: float) -> None:
    """The second after the window is the next cell's, which has other limits."""
    with empty_prometheus() as (url, asked):
        ServerMetrics(url).series(start_s, end_s)
    assert asked
    assert all(start_s <= float(query["start"]) and float(query["end"]) <= end_s for query in asked)
