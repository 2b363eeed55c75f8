"""What is measured of one generator in one round."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.loadgen.generators import Generator, Work, quantiles
from benchmarks.loadgen.measure import Run, run

CHUNKS, GAP_S, TTFT_S = 100, 0.02, 0.02
FEW_STREAMS, MANY_STREAMS = 64, 1024
Figures = dict[str, float]


def streaming(generator: Generator) -> Figures:
    """64 closed-loop streams: CPU per chunk is the slope between a short and a long run, so that start-up
    drops out."""
    few = run(generator, Work("", 64, CHUNKS, FEW_STREAMS, seconds=1.5), TTFT_S, GAP_S)
    many = run(generator, Work("", 640, CHUNKS, FEW_STREAMS, seconds=19.0), TTFT_S, GAP_S)
    return {
        "cpu_us_per_chunk": _slope_us(few, many, lambda found: found.server.chunks),
        "first_request_s": min(few.first_request_s, many.first_request_s),
        "rss_mb": many.rss_mb,
        **_errors(many),
    }


def requests(generator: Generator) -> Figures:
    """Answers of one chunk at once, 32 in flight: CPU per request, the slope again."""
    few = run(generator, Work("", 200, 1, 32, seconds=0.5), 0.01, 0.0)
    many = run(generator, Work("", 2200, 1, 32, seconds=5.0), 0.01, 0.0)
    return {"cpu_us_per_request": _slope_us(few, many, lambda found: len(found.server.received_s))}


def many_streams(generator: Generator) -> Figures:
    """Poisson arrivals that keep 1,024 streams open on average: they do not start and end together."""
    rate_per_s = MANY_STREAMS / (TTFT_S + CHUNKS * GAP_S)
    few, many = (
        run(
            generator,
            Work("", int(rate_per_s * seconds), CHUNKS, MANY_STREAMS, rate_per_s, seconds),
            TTFT_S,
            GAP_S,
        )
        for seconds in (2.0, 7.0)
    )
    gaps_s = np.diff(np.sort(many.server.received_s))
    return {
        "cpu_us_per_chunk": _slope_us(few, many, lambda found: found.server.chunks),
        "arrivals_cv": float(gaps_s.std() / gaps_s.mean()),
        **_errors(many),
    }


PARTS: dict[str, Callable[[Generator], Figures]] = {
    "64 streams": streaming,
    "requests": requests,
    "1,024 streams": many_streams,
}


def _slope_us(few: Run, many: Run, size: Callable[[Run], int]) -> float:
    """Microseconds of CPU for one more."""
    return (many.cpu_s - few.cpu_s) / (size(many) - size(few)) * 1e6


def _errors(found: Run) -> Figures:
    """What it measured less what the server did at p50 and p99: in milliseconds, and for gaps as a ratio."""
    real = {"ttft": quantiles(found.server.ttft_s), "gap": quantiles(found.server.gap_s)}
    measured = {"ttft": found.found["ttft"], "gap": found.found["itl"]}
    off: Figures = {}
    for name, quantile in real.items():
        for key in ("p50", "p99"):
            off[f"{name}_{key}_off_ms"] = (measured[name][key] - quantile[key]) * 1e3
            off[f"{name}_{key}_off_ratio"] = measured[name][key] / quantile[key] - 1
    return off
