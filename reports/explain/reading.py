"""Reads what there is: the recording, Prometheus, or both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import UndecidedError, UserError
from experiments.observe.prometheus import ServerMetrics
from loadtests.traffic import segments
from loadtests.traffic.segments import Span, TrafficError
from reports.explain import from_rows, from_series, stretches
from reports.explain.observed import FromRows, Observed
from reports.explain.signal import Signal
from reports.explain.stretches import Stretches

Flags = NDArray[np.bool_]

_FEWEST_ROWS = 20
"""Of a stretch that others are compared with."""

_UNSEEN = {
    "limits in numbers, queue and event loop of the gateway": (Signal.ACTIVE_LIMIT, Signal.LOOP_LAG),
    "the engine's own times, restarts, KV cache and preemptions": (Signal.PREEMPTIONS, Signal.ENGINE_GAP),
    "hits of the prefix cache": (Signal.CACHE_HITS,),
    "the GPU's clocks and memory": (Signal.GPU_CLOCK, Signal.GPU_MEMORY),
}


def read(folder: Path | None, metrics: ServerMetrics | None, asked: Span, now_s: float) -> Observed:
    """All that is known of the asked stretch and of those that it is compared with.

    folder: the recording; metrics: a Prometheus; one of the two at least. now_s: Unix seconds.

    Raises:
        UserError: the recording is none, or there is neither.
        UndecidedError: nothing came in that time, or too little is known of comparable times.
        EnvironmentProblem: Prometheus does not answer.
    """
    if folder is None and metrics is None:
        raise UserError("nothing to look at: give --recording DIR or --prometheus-url URL")

    def known(span: Span) -> bool:
        recorded = folder is not None and bool(segments.stems(folder, span))
        return recorded or (metrics is not None and from_series.scraped(metrics, span))

    try:
        found = stretches.around(asked, now_s, known)
        rows = None if folder is None else from_rows.read(folder, found)
    except TrafficError as error:
        raise UserError(f"the recording {error}") from None
    if rows is not None and not rows.rows:
        rows = None
    if rows is None and metrics is None:
        raise UndecidedError(f"{folder} holds no request of that time, nor of the hours around it")
    values = {} if rows is None else dict(rows.values)
    if metrics is not None:
        metrics.engine = from_series.engine_names(metrics, asked)
        values |= from_series.read(metrics, found, with_rows=rows is not None)
    return observed(found, values, rows, folder is not None)


def observed(
    found: Stretches, values: dict[Signal, from_rows.Floats], rows: FromRows | None, recorded: bool
) -> Observed:
    """What was read, without the stretches of which too little is known. Raises UndecidedError as `read`."""
    kept = _told(values, found, rows)
    if not kept[0]:
        raise UndecidedError("nothing is known of that time: was the gateway up, and recorded or scraped?")
    kept[0] = True
    if kept[1:].sum() < stretches.FEWEST:
        raise UndecidedError(
            f"only {int(kept[1:].sum())} of the stretches to compare with ({found.usual}) are known, "
            f"and it takes {stretches.FEWEST}: ask again when more was recorded, or about a shorter stretch"
        )
    some = None if rows is None else rows.of(kept)
    whole = Observed(found.of(kept), {signal: one[kept] for signal, one in values.items()}, some)
    return replace(whole, unseen=tuple(_unseen(whole, recorded)))


def _told(values: dict[Signal, from_rows.Floats], found: Stretches, rows: FromRows | None) -> Flags:
    if rows is not None:
        told: Flags = rows.latencies.requests[:, -1] >= _FEWEST_ROWS
        told[0] = rows.latencies.requests[0, -1] > 0
        return told
    offered = values.get(Signal.OFFERED)
    if offered is None:
        return np.zeros(len(found.from_s), dtype=bool)
    half: Flags = np.isfinite(offered).mean(axis=1) >= 0.5
    return half


def _unseen(whole: Observed, recorded: bool) -> list[str]:
    found = []
    if whole.rows is None:
        why = "holds nothing of these times" if recorded else "was not given"
        found.append(
            f"the recording {why}: lanes, lengths of single requests, retries, bursts within seconds and "
            "slow readers cannot be told"
        )
    else:
        if len(whole.rows.lanes.names) < 2:
            found.append("there are neither lanes nor sessions: nobody can be named")
        if whole.rows.damaged:
            found.append(f"{whole.rows.damaged} damaged lines of the recording are left out")
    missing = [words for words, any_of in _UNSEEN.items() if not any(map(whole.has, any_of))]
    return found + [f"Prometheus tells nothing of {words}" for words in missing]
