"""The signals that a recording tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests import latency
from reports.explain import row_columns
from reports.explain.observed import SLOT_S, FromRows, Lanes, Latencies
from reports.explain.row_columns import Columns
from reports.explain.signal import Signal
from reports.explain.stretches import Stretches

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

REFUSED = ("rejected_full", "rejected_mode", "over_budget", "rate_limited")
TIMED_OUT = ("queue_timeout",)
LEFT = ("client_abort",)
FAILED = (
    *("upstream_error", "upstream_overloaded", "upstream_timeout", "upstream_truncated", "internal"),
    "draining",
)
AGAIN_S = 60.0
"""After its failure: what looks like the same request within this time is the same, sent again."""
SLOW = 3.0
"""Times the median TPOT of its bin: an answer that slow is held up by itself."""
_FEWEST_TOKENS = 8
MOST_LANES = 24


@dataclass(frozen=True, slots=True)
class _Rows:
    """Columns, and what follows from them row by row."""

    columns: Columns
    stretches: Stretches
    ok: Flags
    tpot_s: Floats
    again: Flags
    left_early: Flags

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.stretches.from_s), self.stretches.bins

    def sums(self, weights: Floats | Flags) -> Floats:
        """Of each bin."""
        inside = self.columns.place >= 0
        found = np.bincount(
            self.columns.place[inside], np.asarray(weights, float)[inside], self.shape[0] * self.shape[1]
        )
        return found.reshape(self.shape).astype(float)

    def means(self, values: Floats, of: Flags) -> Floats:
        """Of each bin, over the rows `of` that have a value."""
        known = of & np.isfinite(values)
        return _over(self.sums(np.where(known, values, 0.0)), self.sums(known))


def read(folder: Path, stretches: Stretches) -> FromRows:
    """Raises TrafficError as `row_columns.read`."""
    columns = row_columns.read(folder, stretches)
    rows = _looked_at(columns, stretches)
    lanes = _lanes(rows)
    inside = int((columns.place >= 0).sum())
    return FromRows(_values(rows), lanes, _latencies(rows, lanes), _slots(rows), inside, columns.damaged)


def _looked_at(columns: Columns, stretches: Stretches) -> _Rows:
    ok = columns.ended(("ok",))
    tpot_s = latency.tpot_column_s(columns.first_s, columns.last_s, columns.output_tokens)
    tpot_s = np.where(columns.output_tokens >= _FEWEST_TOKENS, tpot_s, np.nan)
    others = ok & (columns.place >= stretches.bins)
    usual_s = float(np.median(columns.finished_s[others])) if others.any() else 0.0
    left_early = columns.ended(LEFT) & (columns.finished_s < usual_s)
    return _Rows(columns, stretches, ok, tpot_s, _sent_again(columns, ok), left_early)


def _sent_again(columns: Columns, ok: Flags) -> Flags:
    """Rows that look like one that failed a moment before: the same lane, session and size."""
    found = np.zeros(len(ok), dtype=bool)
    # Stable: within equal keys rows stay in order of arrival.
    order = np.lexsort((columns.body_bytes, columns.session.codes, columns.lane.codes))
    before, after = order[:-1], order[1:]
    same = (
        (columns.lane.codes[before] == columns.lane.codes[after])
        & (columns.session.codes[before] == columns.session.codes[after])
        & (columns.body_bytes[before] == columns.body_bytes[after])
    )
    gap_s = columns.arrived_s[after] - (columns.arrived_s[before] + columns.finished_s[before])
    found[after[same & ~ok[before] & (gap_s > -0.01) & (gap_s < AGAIN_S)]] = True
    return found


def _values(rows: _Rows) -> dict[Signal, Floats]:
    own, bin_s = rows.columns, rows.stretches.bin_s
    every = rows.sums(np.ones(len(own.arrived_s)))
    prefill_s, decode_s = own.first_s - own.queue_s, own.last_s - own.first_s
    all_rows = np.ones(len(rows.ok), dtype=bool)
    prompt = np.where(np.isfinite(own.prompt_tokens), own.prompt_tokens, 0.0)
    found = {
        Signal.OFFERED: every / bin_s,
        Signal.RETRIES: rows.sums(rows.again) / bin_s,
        Signal.LEFT_EARLY: rows.sums(rows.left_early) / bin_s,
        Signal.LEFT: _over(rows.sums(own.ended(LEFT)), every),
        Signal.REFUSED: _over(rows.sums(own.ended(REFUSED)), every),
        Signal.TIMED_OUT: _over(rows.sums(own.ended(TIMED_OUT)), every),
        Signal.FAILED: _over(rows.sums(own.ended(FAILED)), every),
        Signal.QUEUE: rows.means(own.queue_s, all_rows),
        Signal.PREFILL: rows.means(prefill_s, rows.ok),
        Signal.DECODE: rows.means(decode_s, rows.ok),
        Signal.PROMPT: rows.means(own.prompt_tokens, rows.ok),
        Signal.PROMPT_RATE: rows.sums(prompt) / bin_s,
        Signal.OUTPUT: rows.means(own.output_tokens, rows.ok),
        Signal.RUNNING: _running(rows),
        Signal.SLOW_HOLD: _slow_hold(rows),
        Signal.SHARED_PREFIX: _shared_prefix(rows),
        Signal.LIMITS_VERSION: _by_bin(rows, own.limits_version, all_rows, lambda some: float(some[-1])),
    }
    for signal, column in (
        (Signal.QUEUE_P95, own.queue_s),
        (Signal.TTFT_P95, own.first_s),
        (Signal.TPOT_P95, rows.tpot_s),
        (Signal.E2E_P95, own.finished_s),
    ):
        found[signal] = _by_bin(rows, column, rows.ok, lambda some: float(np.quantile(some, 0.95)))
    found[Signal.TPOT] = _by_bin(rows, rows.tpot_s, rows.ok, lambda some: float(np.median(some)))
    return found


def _by_bin(rows: _Rows, column: Floats, of: Flags, what: Callable[[Floats], float]) -> Floats:
    """`what` of the values of each bin, in order of arrival; nan in a bin without any."""
    known = np.flatnonzero((rows.columns.place >= 0) & of & np.isfinite(column))
    known = known[np.argsort(rows.columns.place[known], kind="stable")]
    places, values = rows.columns.place[known], column[known]
    ends = np.searchsorted(places, np.arange(rows.shape[0] * rows.shape[1] + 1))
    found = np.full(len(ends) - 1, np.nan)
    for at, (begin, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
        if end > begin:
            found[at] = what(values[begin:end])
    return found.reshape(rows.shape)


def _running(rows: _Rows) -> Floats:
    """Requests at the engine, mean of each bin."""
    own = rows.columns
    begun = np.isfinite(own.queue_s) & (np.isfinite(own.upstream_s) | np.isfinite(own.first_s))
    zero_s = float(rows.stretches.from_s.min())
    begin_s = np.sort((own.arrived_s + own.queue_s)[begun] - zero_s)
    end_s = np.sort((own.arrived_s + own.finished_s)[begun] - zero_s)
    edges_s = rows.stretches.from_s[:, None] - zero_s
    edges_s = edges_s + np.arange(rows.stretches.bins + 1) * rows.stretches.bin_s
    held = _time_since(begin_s, edges_s) - _time_since(end_s, edges_s)
    found: Floats = np.diff(held, axis=1) / rows.stretches.bin_s
    return found


def _time_since(moments_s: Floats, at_s: Floats) -> Floats:
    """At each time the sum, over the moments before it, of the time since then; moments ascending."""
    sums = np.concatenate([[0.0], np.cumsum(moments_s)])
    count = np.searchsorted(moments_s, at_s)
    found: Floats = at_s * count - sums[count]
    return found


def _slow(rows: _Rows) -> Flags:
    medians = _by_bin(rows, rows.tpot_s, np.isfinite(rows.tpot_s), lambda some: float(np.median(some)))
    beside = np.where(rows.columns.place >= 0, medians.ravel()[np.maximum(rows.columns.place, 0)], np.nan)
    found: Flags = rows.tpot_s > SLOW * beside
    return found


def _slow_hold(rows: _Rows) -> Floats:
    hold_s = np.nan_to_num(rows.columns.finished_s - rows.columns.queue_s)
    return _over(rows.sums(np.where(_slow(rows), hold_s, 0.0)), rows.sums(hold_s))


def _shared_prefix(rows: _Rows) -> Floats:
    """Of the prompts with a hash: the share whose first block another one of the same stretch has."""
    own = rows.columns
    known = (own.first_block >= 0) & (own.place >= 0)
    stretch = own.place // rows.stretches.bins
    key = np.where(known, stretch * (own.first_block.max(initial=0) + 1) + own.first_block, -1)
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return _over(rows.sums(known & (counts[inverse] > 1)), rows.sums(known))


def _lanes(rows: _Rows) -> Lanes:
    own = rows.columns
    used = own.lane if len(own.lane.counts()) > 1 else own.session
    what = "lane" if used is own.lane else "session"
    names = tuple(list(used.counts())[:MOST_LANES])
    lane = np.full(len(used.names), len(names))
    for at, name in enumerate(names):
        lane[used.names.index(name)] = at
    key = np.where(own.place >= 0, own.place, 0) * (len(names) + 1) + lane[used.codes]
    fresh = ~(rows.again | rows.left_early)
    hold_s = np.where(_slow(rows), np.nan_to_num(own.finished_s - own.queue_s), 0.0)
    columns = (
        fresh.astype(float),
        np.nan_to_num(own.prompt_tokens),
        np.nan_to_num(own.output_tokens),
        hold_s,
    )

    def of_each(column: Floats) -> Floats:
        weights = np.where(own.place >= 0, column, 0.0)
        sums = np.bincount(key, weights, rows.shape[0] * rows.shape[1] * (len(names) + 1))
        found: Floats = sums.reshape(*rows.shape, len(names) + 1)[:, :, :-1] / rows.stretches.bin_s
        return found

    return Lanes(names, what, *(of_each(column) for column in columns))


def _latencies(rows: _Rows, lanes: Lanes) -> Latencies:
    own = rows.columns
    used = own.lane if lanes.what == "lane" else own.session
    metrics = {"queue_s": own.queue_s, "ttft_s": own.first_s, "tpot_s": rows.tpot_s, "e2e_s": own.finished_s}
    codes = [used.names.index(name) for name in lanes.names]
    stretch = np.where(own.place >= 0, own.place // rows.stretches.bins, -1)
    count = len(rows.stretches.from_s)
    p50 = {name: np.full((count, len(codes) + 1), np.nan) for name in metrics}
    p95 = {name: np.full((count, len(codes) + 1), np.nan) for name in metrics}
    requests = np.zeros((count, len(codes) + 1))
    for at in range(count):
        mine = np.flatnonzero(stretch == at)
        for lane, code in enumerate([*codes, None]):
            some = mine if code is None else mine[used.codes[mine] == code]
            requests[at, lane] = len(some)
            served = some[rows.ok[some]]
            for name, column in metrics.items():
                values = column[served]
                values = values[np.isfinite(values)]
                if len(values):
                    p50[name][at, lane], p95[name][at, lane] = np.quantile(values, (0.5, 0.95))
    return Latencies(p50, p95, requests)


def _slots(rows: _Rows) -> Floats:
    """Arrivals in each SLOT_S of each stretch, without those sent again and those left early."""
    own, stretches = rows.columns, rows.stretches
    each = max(1, int(stretches.length_s // SLOT_S))
    inside = (own.place >= 0) & ~rows.again & ~rows.left_early
    stretch = own.place[inside] // stretches.bins
    slot = ((own.arrived_s[inside] - stretches.from_s[stretch]) / SLOT_S).astype(np.int64)
    kept = slot < each
    found: Floats = np.bincount(stretch[kept] * each + slot[kept], minlength=rows.shape[0] * each).astype(
        float
    )
    by_stretch: Floats = found.reshape(rows.shape[0], each)
    return by_stretch


def _over(part: Floats, whole: Floats) -> Floats:
    """part / whole; nan where there is nothing."""
    ratio: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio
