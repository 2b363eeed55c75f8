"""A Prometheus at the wire that has the series it is told: selectors are read as far as the product writes
them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.answering import Page
from tests.answering import answering as serving

Row = tuple[Mapping[str, str], float]
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?(?:\{(.*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)",?')


def found(query: str, rows: Sequence[Row]) -> list[dict[str, object]]:
    """The answer to `selector` or `timestamp(selector)`; every sample is of now."""
    stamps = query.startswith("timestamp(")
    parsed = _SELECTOR.fullmatch(query.removeprefix("timestamp(").removesuffix(")") if stamps else query)
    assert parsed is not None, query
    matchers = [("__name__", "=", parsed[1])] if parsed[1] else []
    matchers += _MATCHER.findall(parsed[2] or "")
    now_s = time.time()
    return [
        {
            "metric": {k: v for k, v in labels.items() if not (stamps and k == "__name__")},
            "value": [now_s, str(now_s if stamps else value)],
        }
        for labels, value in rows
        if all(_holds(labels.get(name, ""), how, wanted) for name, how, wanted in matchers)
    ]


def _holds(value: str, how: str, wanted: str) -> bool:
    if how == "=~":
        return re.fullmatch(wanted, value) is not None
    return (value == wanted) is (how == "=")


@contextmanager
def running(rows: Sequence[Row]) -> Iterator[str]:
    """Its URL."""

    def answer(path: str) -> Page:
        result = found(parse_qs(urlsplit(path).query)["query"][0], rows)
        said = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return Page(json.dumps(said).encode())

    with serving(answer) as url:
        yield url
