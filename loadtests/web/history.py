"""The runs of one folder, as the page lists them; nothing outside of that folder is ever read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from loadtests.recording.run_folder import CELL, LOAD, PLAN, RECORDS

REPORT = "report.html"
FILES = {
    REPORT: REPORT,
    **{name: f"cells/{CELL}/{name}" for name in (LOAD, PLAN, RECORDS)},
}
"""What the page may ask for by name, and where it lies in a run's folder."""
MOST_RUNS = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    """A load run that has ended. Times in seconds, rates in requests per second; None where the run has no
    such number. files: those of `FILES` that are there."""

    name: str
    started_unix_s: float
    scenario: str
    rate_per_s: float
    measure_s: float
    plan_hash: str
    host: str
    slo: str
    ended: str
    offered: int
    attainment: float | None
    goodput_per_s: float | None
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    outcomes: Mapping[str, int]
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class History:
    """folder: as a person would find it. runs: newest first. more: how many older ones are not shown.
    others: runs of other kinds (sweeps) that have a report."""

    folder: str
    runs: Sequence[RunRow]
    more: int
    others: Sequence[str]


class RunsFolder:
    """Reads load.json of each run once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, tuple[float, RunRow]] = {}

    def history(self) -> History:
        """What lies there now."""
        found = {run.name: path for run in self._runs() if (path := self.file(run.name, LOAD)) is not None}
        newest = sorted(found, key=lambda name: -found[name].stat().st_mtime)
        rows = [row for name in newest[:MOST_RUNS] if (row := self._row(name, found[name])) is not None]
        others = sorted(r.name for r in self._runs() if r.name not in found and self.file(r.name, REPORT))
        return History(str(self.path), rows, max(0, len(found) - MOST_RUNS), others)

    def file(self, run: str, name: str) -> Path | None:
        """A file of a run by one of the names of `FILES`; None unless it is there, inside this folder."""
        if name not in FILES or not run or Path(run).name != run or run in (".", ".."):
            return None
        root = self.path.resolve()
        found = (root / run / FILES[name]).resolve()
        return found if found.is_file() and found.is_relative_to(root / run) else None

    def _runs(self) -> list[Path]:
        if not self.path.is_dir():
            return []
        return [run for run in self.path.iterdir() if run.is_dir() and not run.is_symlink()]

    def _row(self, run: str, path: Path) -> RunRow | None:
        changed_s = path.stat().st_mtime
        known = self._rows.get(run)
        if known is None or known[0] != changed_s:
            try:
                row = _read(run, orjson.loads(path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError):
                return None  # of another version, or no load run at all
            self._rows[run] = known = (changed_s, row)
        # A report may be made at any time.
        return replace(known[1], files=[name for name in FILES if self.file(run, name)])


def _read(name: str, load: Any) -> RunRow:
    """`load`: load.json of any version."""
    summary = load["summary"]
    ttft = summary["latency"]["ttft_s"] or {}
    return RunRow(
        name=name,
        started_unix_s=load["started_unix_s"],
        scenario=load["scenario"],
        rate_per_s=load["rate_per_s"],
        measure_s=load["measure_s"],
        plan_hash=load["plan_hash"],
        host=load["host"],
        slo=load["slo"],
        ended=load["ended"],
        offered=summary["counts"]["offered"],
        attainment=summary["attainment"],
        goodput_per_s=summary["rates"]["goodput_per_s"],
        ttft_p50_s=ttft.get("p50", {}).get("value"),
        ttft_p95_s=ttft.get("p95", {}).get("value"),
        outcomes=load["outcomes"],
        files=(),
    )
