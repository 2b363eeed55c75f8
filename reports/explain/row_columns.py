"""The rows of a recording that fall into the stretches, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loadtests.traffic import table
from loadtests.traffic.segments import Span
from loadtests.traffic.traffic import Names
from reports.explain.stretches import Stretches

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEAD_S = 300.0
"""Before a stretch: who came then may still be at the engine in it."""
_FIRST_BLOCK = 8
"""Characters of the hash of a prompt's first 512 bytes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows (n,) in order of arrival within each run of stretches; nan for what did not happen.

    place: which bin a row arrived in, counted over all stretches, -1 in none.
    """

    arrived_s: Floats
    place: Counts
    lane: Names
    session: Names
    outcome: Names
    body_bytes: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    queue_s: Floats
    upstream_s: Floats
    first_s: Floats
    last_s: Floats
    finished_s: Floats
    limits_version: Floats
    first_block: Counts
    damaged: int

    def ended(self, outcomes: Iterable[str]) -> Flags:
        """Which rows ended in one of these ways."""
        wanted = set(outcomes)
        codes = [code for code, name in enumerate(self.outcome.names) if name in wanted]
        found: Flags = np.isin(self.outcome.codes, codes)
        return found


def read(folder: Path, stretches: Stretches) -> Columns:
    """Of the recording in `folder`.

    Raises:
        TrafficError: it is none, or cannot be read.
    """
    parts, damaged, until_s = [], 0, 0.0
    for run in stretches.runs():
        found = table.read(folder, Span(max(until_s, run.from_s - LEAD_S), run.until_s))
        parts.append(found.table)
        damaged = max(damaged, found.damaged)
        until_s = run.until_s
    return _columns(pa.concat_tables(parts), stretches, damaged)


def _columns(rows: pa.Table, stretches: Stretches, damaged: int) -> Columns:
    arrived_s = _numbers(rows, "arrived_unix_s")
    block = _names(pc.utf8_slice_codeunits(rows["prefix"], 0, _FIRST_BLOCK))
    none = [code for code, name in enumerate(block.names) if not name]
    return Columns(
        arrived_s=arrived_s,
        place=_places(arrived_s, stretches),
        lane=_names(rows["lane"]),
        session=_names(rows["session"]),
        outcome=_names(rows["outcome"]),
        body_bytes=_numbers(rows, "body_bytes"),
        prompt_tokens=_numbers(rows, "prompt_tokens"),
        output_tokens=_numbers(rows, "output_tokens"),
        queue_s=_numbers(rows, "queue_s"),
        upstream_s=_numbers(rows, "upstream_s"),
        first_s=_numbers(rows, "first_s"),
        last_s=_numbers(rows, "last_s"),
        finished_s=_numbers(rows, "finished_s"),
        limits_version=_numbers(rows, "limits_version"),
        first_block=np.where(np.isin(block.codes, none), -1, block.codes),
        damaged=damaged,
    )


def _places(arrived_s: Floats, stretches: Stretches) -> Counts:
    order = np.argsort(stretches.from_s)
    begins = stretches.from_s[order]
    at = np.searchsorted(begins, arrived_s, side="right") - 1
    inside_s = arrived_s - begins[np.maximum(at, 0)]
    bins = np.minimum((inside_s / stretches.bin_s).astype(np.int64), stretches.bins - 1)
    found: Counts = order[np.maximum(at, 0)] * stretches.bins + bins
    return np.where((at >= 0) & (inside_s < stretches.length_s), found, -1)


def _numbers(rows: pa.Table, name: str) -> Floats:
    found: Floats = rows[name].cast(pa.float64()).fill_null(float("nan")).to_numpy()
    return found


def _names(column: pa.ChunkedArray) -> Names:
    coded = column.fill_null("").combine_chunks().dictionary_encode()
    names: Sequence[str] = [str(name) for name in coded.dictionary.to_pylist()]
    return Names(tuple(names), coded.indices.to_numpy().astype(np.int64))
