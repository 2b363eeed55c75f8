"""One run folder as tidy frames: `load(path)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from reports import frames, records
from reports.folder import Reader, items, number, part, text


class NotARunError(Exception):
    """The path is not a run folder; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Slo:
    """Limits a request is judged by: seconds, None where there is none; attainment is the target share."""

    text: str
    ttft_s: float | None
    tpot_s: float | None
    e2e_s: float | None
    attainment: float | None
    scaled_from: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """What one sweep left behind. Times are seconds, rates per second; the columns are in `reports.columns`.

    `cells`, `latency`, `outcomes`, `agreement`, `ledger`, `doubts` and `predicted` are frames. `info` is
    run.json, `recommendation` recommendation.json and `prediction` predicted.json ({} when absent).
    `problems` says in sentences what could not be read.
    """

    path: Path
    info: Mapping[str, Any]
    slo: Slo
    recommendation: Mapping[str, Any]
    prediction: Mapping[str, Any]
    summaries: Mapping[str, Mapping[str, Any]]
    cells: pd.DataFrame
    latency: pd.DataFrame
    outcomes: pd.DataFrame
    agreement: pd.DataFrame
    ledger: pd.DataFrame
    doubts: pd.DataFrame
    predicted: pd.DataFrame
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run's name; that of its folder when run.json has none."""
        return text(self.info.get("name")) or self.path.name

    @property
    def matrix(self) -> pd.DataFrame:
        """`cells` without the sentinels, which no setting is ranked by."""
        chosen: pd.DataFrame = self.cells[~self.cells["sentinel"].astype(bool)]
        return chosen

    @property
    def engine(self) -> str:
        """The label of the engine that made every number here."""
        return text(part(self.info, "engine").get("label")) or "engine unknown"

    @property
    def emulated(self) -> bool:
        """Whether an emulator, not a real engine, answered."""
        return part(self.info, "engine").get("provider") == "emulator"

    def cell_records(self, cell: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The records of one cell, a row per request (`reports.columns.RECORDS`); all columns unless told."""
        return records.read_records(self.path / "cells" / cell, columns)

    def cell_series(self, cell: str) -> pd.DataFrame:
        """The Prometheus series of one cell in long form (`reports.columns.SERIES`)."""
        return records.read_series(self.path / "cells" / cell)

    def records(self, columns: Sequence[str] | None = records.LIGHT) -> pd.DataFrame:
        """The records of all cells with a column `cell` in front; no chunk times unless asked for."""
        parts = [self.cell_records(cell, columns) for cell in self.cells["cell"]]
        return _stack(parts, list(self.cells["cell"]))

    def series(self) -> pd.DataFrame:
        """The series of all cells with a column `cell` in front."""
        return _stack([self.cell_series(cell) for cell in self.cells["cell"]], list(self.cells["cell"]))


def load(run: str | Path) -> Run:
    """Read a run folder; what is missing or damaged becomes a sentence in `Run.problems`.

    Raises NotARunError when the path is no folder, or holds neither run.json nor a cell.
    """
    path = Path(run)
    if not path.is_dir():
        raise NotARunError(f"{path} is not a folder: give the folder of a run, such as runs/<name>.")
    reader = Reader(path)
    cells_dir = path / "cells"
    if not (path / "run.json").exists() and not cells_dir.is_dir():
        raise NotARunError(f"{path} has neither run.json nor cells/: it is not the folder of a run.")
    info = reader.json("run.json", required=True)
    summaries = _summaries(reader, info, cells_dir)
    cells = frames.cells(summaries.values())
    given = [summaries[cell] for cell in cells["cell"]]
    prediction = reader.json("predicted.json")
    return Run(
        path=path,
        info=info,
        slo=_slo(part(info, "slo")),
        recommendation=reader.json("recommendation.json"),
        prediction=prediction,
        summaries=summaries,
        cells=cells,
        latency=frames.latency(given),
        outcomes=frames.outcomes(given),
        agreement=frames.agreement(given),
        ledger=frames.ledger(given),
        doubts=frames.doubts(given),
        predicted=frames.predicted(prediction),
        problems=reader.problems,
    )


def _summaries(reader: Reader, info: dict[str, Any], cells_dir: Path) -> dict[str, dict[str, Any]]:
    """Every cell named in run.json or found on disk; one that is not measured yet has only what is known of
    it.
    """
    declared = {
        name: cell for cell in items(info, "cells") if _inside(cells_dir, name := text(cell.get("id")))
    }
    # A dot in front marks a cell that is still being written.
    folders = sorted(p.name for p in cells_dir.iterdir() if p.is_dir()) if cells_dir.is_dir() else []
    on_disk = [name for name in folders if not name.startswith(".")]
    found: dict[str, dict[str, Any]] = {}
    unmeasured = []
    for name in [*declared, *(n for n in on_disk if n not in declared)]:
        summary = reader.json(f"cells/{name}/summary.json") if name in on_disk else {}
        if not summary:
            unmeasured.append(name)
            summary = reader.json(f"cells/{name}/cell.json") if name in on_disk else {}
        base = {"engine": part(info, "engine")} | dict(declared.get(name, {}))
        found[name] = base | summary | {"cell": name}
    if unmeasured:
        shown = ", ".join(unmeasured[:5]) + (" …" if len(unmeasured) > 5 else "")
        reader.problems.append(f"{len(unmeasured)} of {len(found)} cells have no summary yet: {shown}.")
    return found


def _inside(cells_dir: Path, name: str) -> bool:
    """Whether `name` is a plain folder name, so that no cell id can point outside the run."""
    return (
        bool(name)
        and Path(name).name == name
        and name not in (".", "..")
        and (cells_dir / name).parent == cells_dir
    )


def _slo(found: dict[str, Any]) -> Slo:
    def limit(name: str) -> float | None:
        value = number(found.get(name))
        return None if value != value else value

    scaled = text(found.get("scaled_from")) or None
    return Slo(
        text(found.get("text")), limit("ttft_s"), limit("tpot_s"), limit("e2e_s"), limit("attainment"), scaled
    )


def _stack(parts: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    filled = {name: frame for name, frame in zip(names, parts, strict=True) if len(frame)}
    if not filled:
        return pd.DataFrame(columns=["cell", *(parts[0].columns if parts else [])])
    return pd.concat(filled, names=["cell", None]).reset_index(level="cell").reset_index(drop=True)
