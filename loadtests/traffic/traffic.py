"""Recorded traffic as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests import latency
from loadtests.latency import Column
from loadtests.planning.workloads import Counts

GENERATING = ("chat", "completions", "responses", "messages")
"""Routes whose answers are made token by token."""


@dataclass(frozen=True, slots=True)
class Names:
    """A column of texts: row i has names[codes[i]]."""

    names: tuple[str, ...]
    codes: Counts

    def __iter__(self) -> Iterator[str]:
        return (self.names[code] for code in self.codes.tolist())

    def counts(self) -> dict[str, int]:
        """How many rows have each, the most frequent first; "" is not counted."""
        found = np.bincount(self.codes, minlength=len(self.names)).tolist()
        named = [(name, n) for name, n in zip(self.names, found, strict=True) if name and n]
        return dict(sorted(named, key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Traffic:
    """The columns of `TrafficRow` (n,), ascending in arrival, n ≥ 1; -1 and nan stand for none. damaged:
    lines of the recording that are no rows.
    """

    arrived_unix_s: Column
    route: Names
    lane: Names
    session: Names
    outcome: Names
    status: Counts
    body_bytes: Counts
    prompt_bytes: Counts
    slots: Counts
    max_tokens: Counts
    prompt_tokens: Counts
    output_tokens: Counts
    queue_s: Column
    upstream_s: Column
    first_s: Column
    last_s: Column
    finished_s: Column
    limits_version: Counts
    prefix: Names
    damaged: int = 0

    def __len__(self) -> int:
        return len(self.arrived_unix_s)

    @property
    def arrival_s(self) -> Column:
        """Seconds after the first arrival."""
        found: Column = self.arrived_unix_s - self.arrived_unix_s[0]
        return found

    @property
    def span_s(self) -> float:
        """From the first arrival to the last."""
        return float(self.arrived_unix_s[-1] - self.arrived_unix_s[0])

    @property
    def ttft_s(self) -> Column:
        """Arrival to the first chunk with content."""
        return self.first_s

    @property
    def tpot_s(self) -> Column:
        """Time per output token; nan below two tokens."""
        tokens = self.output_tokens.astype(np.float64)
        found: Column = latency.tpot_column_s(self.first_s, self.last_s, tokens)
        return found

    def generating(self) -> Traffic:
        """Only the rows whose answers are made token by token, of whatever API: a load run has no others."""
        kept = np.isin(self.route.codes, [i for i, name in enumerate(self.route.names) if name in GENERATING])
        names = [column.name for column in fields(self) if column.name != "damaged"]
        return replace(self, **{name: _rows(getattr(self, name), kept) for name in names})

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Rows with both lengths."""
        known: NDArray[np.bool_] = (self.prompt_tokens > 0) & (self.output_tokens > 0)
        return known


def _rows(column: Any, kept: NDArray[np.bool_]) -> Any:
    if isinstance(column, Names):
        return Names(column.names, column.codes[kept])
    return column[kept]
