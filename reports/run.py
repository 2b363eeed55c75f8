"""One run folder as tidy frames: `load(path)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from experiments.design.cell_purpose import CellPurpose
from experiments.errors import UserError
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.prediction import Prediction
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import Objective, RunState
from experiments.run_folder.what_if import WhatIf
from experiments.run_folder.whole_run import WholeRun, read_whole_run
from reports import frames, records
from reports.errors import NotARunError
from reports.known_cell import ENGINE_UNKNOWN, known_cells
from reports.naming import Naming, naming

NO_OBJECTIVE = Objective("", ttft_s=None, tpot_s=None, e2e_s=None, attainment=None, scaled_from=None)


@dataclass(frozen=True, slots=True)
class Run:
    """What one sweep left behind. Times are seconds, rates per second; the columns are in `reports.columns`.

    `whole` is the folder as `experiments.run_folder` declares it; the others are frames made from it.
    `own_slo`: the objective that the run was measured under, where it is judged by another one (`judged`).
    `naming`: how its page names settings; the frames have their whole words.
    """

    whole: WholeRun
    cells: pd.DataFrame
    latency: pd.DataFrame
    breakdown: pd.DataFrame
    outcomes: pd.DataFrame
    agreement: pd.DataFrame
    ledger: pd.DataFrame
    doubts: pd.DataFrame
    predicted: pd.DataFrame
    naming: Naming
    own_slo: str | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self.whole.path

    @property
    def state(self) -> RunState | None:
        """run.json; None where it cannot be used."""
        return self.whole.state

    @property
    def slo(self) -> Objective:
        """The objective in force, without any limit where there is none yet."""
        objective = self.state.slo if self.state is not None else None
        return objective or NO_OBJECTIVE

    @property
    def common_slo(self) -> Objective:
        """The objective that every request has: without any limit where each load class has its own."""
        return replace(NO_OBJECTIVE, text=self.slo.text) if self.slo.classes else self.slo

    @property
    def recommendation(self) -> Recommendation | None:
        """recommendation.json; None where there is none."""
        return self.whole.recommendation

    @property
    def prediction(self) -> Prediction | None:
        """predicted.json; None where nothing was predicted."""
        return self.whole.prediction

    @property
    def what_if(self) -> WhatIf | None:
        """what_if.json; None where the run had no calibration."""
        return self.whole.what_if

    @property
    def summaries(self) -> Mapping[str, CellSummary]:
        """The measured cells by id."""
        return self.whole.summaries

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, a sentence each."""
        return self.whole.problems

    @property
    def name(self) -> str:
        """The run's name; that of its folder when run.json has none."""
        return (self.state.name if self.state is not None else "") or self.path.name

    @property
    def of_settings(self) -> pd.DataFrame:
        """`cells` without the sentinels: all that were measured to learn of a setting."""
        chosen: pd.DataFrame = self.cells[~self.cells["sentinel"].astype(bool)]
        return chosen

    @property
    def matrix(self) -> pd.DataFrame:
        """The cells that settings are ranked by: no sentinels, no validation, no search for a rate."""
        own = self.of_settings
        chosen: pd.DataFrame = own[own["purpose"] == CellPurpose.MATRIX]
        return chosen

    @property
    def shown(self) -> pd.DataFrame:
        """`cells` as the page shows them, settings named by what differs in this run."""
        return self.naming.columns(self.cells)

    @property
    def engine(self) -> str:
        """The label of the engine that made every number here."""
        if self.state is not None and self.state.engine is not None and self.state.engine.label:
            return self.state.engine.label
        labels = {summary.engine.label for summary in self.summaries.values() if summary.engine is not None}
        return labels.pop() if len(labels) == 1 else ENGINE_UNKNOWN

    @property
    def emulated(self) -> bool:
        """Whether an emulator, not a real engine, answered."""
        engine = self.state.engine if self.state is not None else None
        return engine is not None and engine.provider == "emulator"

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


R = TypeVar("R", bound=Run)


def load(run: str | Path) -> Run:
    """Read a run folder; what is missing or damaged becomes a sentence in `Run.problems`.

    Raises NotARunError when the path is no folder, or holds neither run.json nor a cell.
    """
    return load_as(run, Run)


def load_as(run: str | Path, kind: type[R]) -> R:
    """`load`, for a kind of Run that adds to it."""
    try:
        return of_whole(read_whole_run(Path(run)), kind)
    except UserError as error:
        raise NotARunError(str(error)) from None


def of_whole(whole: WholeRun, kind: type[R]) -> R:
    """The frames of a run folder that was read; `kind`: Run, or what adds to it."""
    cells = frames.cells(known_cells(whole))
    ordered = [whole.summaries[cell] for cell in cells["cell"] if cell in whole.summaries]
    return kind(
        whole=whole,
        cells=cells,
        latency=frames.latency(ordered),
        breakdown=frames.breakdown(ordered),
        outcomes=frames.outcomes(ordered),
        agreement=frames.agreement(ordered),
        ledger=frames.ledger(ordered),
        doubts=frames.doubts(ordered),
        predicted=frames.predicted(whole.prediction),
        naming=naming(whole),
    )


def _stack(parts: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    filled = {name: frame for name, frame in zip(names, parts, strict=True) if len(frame)}
    if not filled:
        return pd.DataFrame(columns=["cell", *(parts[0].columns if parts else [])])
    return pd.concat(filled, names=["cell", None]).reset_index(level="cell").reset_index(drop=True)
