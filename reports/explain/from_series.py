"""The signals that Prometheus tells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.prometheus import OF_GATEWAY, ServerMetrics
from experiments.observe.selector import Selector
from experiments.stack.providers.known import PROVIDERS
from loadtests.traffic.segments import Span
from reports.explain import queries
from reports.explain.signal import Signal
from reports.explain.stretches import Stretches

Floats = NDArray[np.float64]


def scraped(metrics: ServerMetrics, span: Span) -> bool:
    """Whether the gateway was scraped in the span. Raises EnvironmentProblem: no answer."""
    span_s = max(1, round(span.until_s - span.from_s))
    return bool(
        metrics.query(f"max(max_over_time({metrics.scope.gateway.of(OF_GATEWAY)}[{span_s}s]))", span.until_s)
    )


def engine_names(metrics: ServerMetrics, asked: Span) -> EngineMetrics:
    """What the engine that was scraped in the span calls its metrics; vLLM's names where none is known.
    Raises EnvironmentProblem: no answer."""
    rows = list({id(row.metrics): row.metrics for row in PROVIDERS}.values())
    names = "|".join(
        sorted({name.split(":")[0].split("_")[0] for row in rows for name in row.newest.names().values()})
    )
    own = (metrics.scope.engine or Selector()).of("", f'__name__=~"({names}).+"')
    span_s = max(1, round(asked.until_s - asked.from_s))
    found = metrics.query(f"count by (__name__) (last_over_time({own}[{span_s}s]))", asked.until_s)
    page = "".join(f"{series.labels['__name__']} 0\n" for series in found)
    known = [row.on(page) for row in rows if row.newest.running and f"{row.newest.running} " in page]
    return known[0] if known else metrics.engine


def read(metrics: ServerMetrics, stretches: Stretches, with_rows: bool) -> dict[Signal, Floats]:
    """Of every bin; only what Prometheus has. with_rows: the recording tells what it can.

    Raises:
        EnvironmentProblem: it cannot be reached or refuses a query.
    """
    asked = _queries(metrics, stretches.bin_s, with_rows)
    found = {signal: _bins(metrics, promql, stretches) for signal, promql in asked.items()}
    return {signal: values for signal, values in found.items() if np.isfinite(values).any()}


def _queries(metrics: ServerMetrics, bin_s: float, with_rows: bool) -> Mapping[Signal, str]:
    scope = metrics.scope
    asked = dict(queries.of_gateway(scope, bin_s))
    if not with_rows:
        asked |= queries.in_place_of_rows(scope, bin_s)
    if scope.engine is not None:
        asked |= queries.of_engine(metrics.engine, scope.engine, bin_s)
        if metrics.engine.running:
            asked[Signal.ENGINE_UP] = queries.engine_up(metrics.engine.running, scope, bin_s)
    if scope.gpu is not None:
        asked |= queries.of_gpu(scope.gpu, bin_s)
    return asked


def _bins(metrics: ServerMetrics, promql: str, stretches: Stretches) -> Floats:
    """The value at the end of each bin, which is that of the bin: every query looks back over one."""
    found = np.full((len(stretches.from_s), stretches.bins), np.nan)
    for run in stretches.runs():
        inside = np.flatnonzero((stretches.from_s >= run.from_s) & (stretches.from_s < run.until_s))
        points = metrics.points(promql, run.from_s + stretches.bin_s, run.until_s, stretches.bin_s)
        if not points:
            continue
        at_s, values = np.array(points).T
        for stretch in inside.tolist():
            place = np.rint((at_s - stretches.from_s[stretch]) / stretches.bin_s).astype(np.int64) - 1
            mine = (place >= 0) & (place < stretches.bins)
            found[stretch, place[mine]] = values[mine]
    return found
