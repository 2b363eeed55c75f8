"""A real Prometheus that has known a gateway, an engine and a card for hours: blocks made from text."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.observe.prometheus import ServerMetrics
from experiments.stack import prometheus

EVERY_S = 15
Level = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Told:
    """One series. level: of a gauge its value, of a counter its rate per second, over Unix seconds; cut_s:
    when a counter begins anew."""

    name: str
    labels: str
    level: Level
    counter: bool
    cut_s: float = 0.0
    silent: tuple[float, float] = (0.0, 0.0)
    """From when until when nothing was scraped."""


def text(series: list[Told], begin_s: float, end_s: float) -> str:
    """As OpenMetrics, scraped every EVERY_S."""
    at_s = np.arange(begin_s, end_s + EVERY_S, EVERY_S)
    lines = []
    for one in sorted(series, key=lambda one: one.name):
        values = one.level(at_s).astype(float)
        if one.counter:
            values = np.cumsum(values * EVERY_S)
            if one.cut_s:
                values -= np.where(at_s >= one.cut_s, values[np.searchsorted(at_s, one.cut_s) - 1], 0.0)
        labels = f"{{{one.labels}}}" if one.labels else ""
        lines += [
            f"{one.name}{labels} {value:.9g} {at:.3f}"
            for at, value in zip(at_s.tolist(), values.tolist(), strict=True)
            if not one.silent[0] <= at < one.silent[1]
        ]
    return "\n".join([*lines, "# EOF", ""])


@contextlib.contextmanager
def serving(promtool: str, home: Path, told: str) -> Iterator[ServerMetrics]:
    """A Prometheus over blocks of that text; it scrapes nothing."""
    source = home / "told.om"
    source.write_text(told, encoding="utf-8")
    made = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(source), str(home / "data")]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    with prometheus.running(targets={}, data_dir=home, log_dir=home) as server:
        yield ServerMetrics(server.url)
