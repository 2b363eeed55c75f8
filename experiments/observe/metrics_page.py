"""What a `/metrics` page says, and whether what was answered is one at all.

Many servers answer 200 to every path: a single-page application with HTML, an engine without metrics with
JSON. What is no page in Prometheus's text format is told apart here, and nobody parses it; of a page only so
much is read as any engine needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

MOST_BYTES = 16 * 2**20
"""Of a page, unpacked: a hundred times a vLLM's."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LINE = re.compile(
    r"""(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
        (?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?
        [ \t]+(?P<value>[^ \t]+)
        (?:[ \t]+-?[\d.eE+]+)?(?:[ \t]+\#[ ].*)?[ \t]*  # time and exemplar, which are not used
    """,
    re.VERBOSE,
)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class NotMetricsError(Exception):
    """What was answered is no metrics page; the message ends a sentence: `/metrics` …"""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One line of a page; `value` is NaN where the page has something that is no number."""

    name: str
    labels: Mapping[str, str]
    value: float


def text_of(status: int, chunks: Iterable[bytes]) -> str:
    """The page in an answer of this status with this body, unpacked.

    Raises:
        NotMetricsError: it is none, or has more than `MOST_BYTES`.
    """
    if status != 200:
        raise NotMetricsError(f"answers {status}")
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MOST_BYTES:
            raise NotMetricsError(f"has more than {MOST_BYTES // 2**20} MiB")
    # The format is UTF-8 whatever the header says.
    text = content.decode("utf-8", "replace")
    _require_page(text)
    return text


def samples(page: str) -> Iterator[MetricSample]:
    """Every sample of the page; lines that are none are passed over."""
    for line in page.split("\n"):  # a label may hold what else ends a line in Unicode
        found = None if line.startswith("#") else _LINE.fullmatch(line.strip())
        if found is not None:
            yield MetricSample(found["name"], _labels(found["labels"] or ""), _number(found["value"]))


def name_of(line: str) -> str:
    """The name that a sample's line begins with; empty for a comment and for what is no sample."""
    found = _NAME.match(line)
    return found[0] if found is not None else ""


def _require_page(text: str) -> None:
    """A page has a sample, or nothing but comments before an engine's first request; HTML, JSON and prose
    have something else, whatever they begin with."""
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        raise NotMetricsError("is an HTML page and no metrics")
    nothing_yet = all(not line.strip() or line.startswith("#") for line in text.split("\n"))
    if not nothing_yet and not any(math.isfinite(sample.value) for sample in samples(text)):
        raise NotMetricsError("is something else than metrics")


def _labels(text: str) -> dict[str, str]:
    return {
        name: re.sub(r"\\[\\\"n]", lambda found: _ESCAPES[found[0]], value)
        for name, value in _LABEL.findall(text)
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
