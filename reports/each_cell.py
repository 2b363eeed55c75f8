"""The parts of the page about single cells, drawn in one process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pandas as pd

from reports import judging, tables
from reports.cells import CellSection, cell_section
from reports.plots import Plots
from reports.rows import CellRow, rows_of
from reports.run import Run

# Below this many cells another process costs more to start than it saves.
WORTHWHILE = 20
CHUNK = 3


@contextmanager
def cell_sections(run: Run, processes: int = 1) -> Iterator[Iterator[CellSection]]:
    """The cells of a run in order, drawn while they are taken, or from now on by other `processes`.

    More than one needs a caller that can be imported again (`if __name__ == "__main__"`): the processes are
    started afresh rather than forked, which would copy locks held by this one's threads.
    """
    rows = rows_of(run.shown, CellRow)
    draw = partial(_draw, tables.cell_names(run.shown), Plots(run).best, judging.digits(run))
    if processes < 2 or len(rows) < WORTHWHILE:
        yield (draw(run, row) for row in rows)
        return
    fresh = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(fresh)
    if fresh == "forkserver":
        context.set_forkserver_preload(["reports.page"])
    parts = (part_of(run, row.cell) for row in rows)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield pool.map(draw, parts, rows, chunksize=CHUNK)


def part_of(run: Run, cell: str) -> Run:
    """No more of a run than the section of one cell needs: the whole takes a tenth of a second to pass on."""
    summaries = {cell: run.summaries[cell]} if cell in run.summaries else {}
    state = replace(run.state, cells=()) if run.state is not None else None
    whole = replace(
        run.whole,
        state=state,
        planned={},
        summaries=summaries,
        recommendation=None,
        prediction=None,
        race=None,
    )
    return replace(
        run,
        whole=whole,
        cells=_of_cell(run.cells, cell),
        latency=_of_cell(run.latency, cell),
        breakdown=_of_cell(run.breakdown, cell),
        outcomes=run.outcomes[:0],
        agreement=run.agreement[:0],
        ledger=run.ledger[:0],
        doubts=run.doubts[:0],
        predicted=run.predicted[:0],
    )


def _of_cell(frame: pd.DataFrame, cell: str) -> pd.DataFrame:
    own: pd.DataFrame = frame[frame["cell"] == cell]
    return own


def _draw(names: dict[str, str], chosen: str | None, digits: int, run: Run, row: CellRow) -> CellSection:
    unfold = chosen is not None and row.setting == chosen
    return cell_section(run, row, names[row.cell], unfold=unfold, digits=digits)
