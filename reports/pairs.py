"""Which cells of two runs belong together."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from reports import labels
from reports.folder import rows as rows_of
from reports.run import Run

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Paired rows of `Run.cells`, A before B, in A's order; what has no partner; how many are alike only.

    Alike only: each run scaled its loads and queue timeouts by its own probe, so a pair has the same place in
    the matrix but not the same rate or timeout.
    """

    pairs: list[tuple[Row, Row]]
    alike_only: int
    only_a: list[Row]
    only_b: list[Row]


def pair(a: Run, b: Run) -> Pairs:
    """Pair the measured cells: first those equal in everything, then those alike in the matrix."""
    left, right = (rows_of(run.cells[run.cells["validity"] != "missing"]) for run in (a, b))
    found = _matches(left, right, _same)
    taken = {row["cell"] for row, _ in found}, {row["cell"] for _, row in found}
    rest_a = [row for row in left if row["cell"] not in taken[0]]
    rest_b = [row for row in right if row["cell"] not in taken[1]]
    alike = _matches(rest_a, rest_b, _alike)
    order = {row["cell"]: at for at, row in enumerate(left)}
    pairs = sorted([*found, *alike], key=lambda both: order[both[0]["cell"]])
    used = {row["cell"] for row, _ in alike}, {row["cell"] for _, row in alike}
    return Pairs(
        pairs,
        len(alike),
        [row for row in rest_a if row["cell"] not in used[0]],
        [row for row in rest_b if row["cell"] not in used[1]],
    )


def _matches(left: list[Row], right: list[Row], key: Callable[[Row], Hashable]) -> list[tuple[Row, Row]]:
    """Rows whose key occurs exactly once on either side, and is the same."""
    by_key = _once(right, key)
    return [(row, by_key[found]) for found, row in _once(left, key).items() if found in by_key]


def _once(rows: list[Row], key: Callable[[Row], Hashable]) -> dict[Hashable, Row]:
    grouped: dict[Hashable, list[Row]] = {}
    for row in rows:
        grouped.setdefault(key(row), []).append(row)
    return {found: group[0] for found, group in grouped.items() if len(group) == 1}


def _same(row: Row) -> Hashable:
    return labels.key(row), _arrivals(row), f"{row['rate_per_s']:.4g}"


def _alike(row: Row) -> Hashable:
    """The place in the matrix, without what a run scales by its probe: the rate and the queue timeout."""
    setting = labels.key(row | {"queue_timeout_s": None})
    return setting, _arrivals(row), f"{row['relative_load']:g}"


def _arrivals(row: Row) -> Hashable:
    return row["workload"], row["scenario"], f"{row['block']:g}", row["sentinel"]
