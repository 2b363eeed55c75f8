"""The parts of the page about single cells, drawn in one process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from loadtests.bulk import no_collection
from reports import blocks, labels, tables
from reports.cells import CellPart, cell_part
from reports.folder import rows as rows_of
from reports.run import Run

# Below this many cells another process costs more to start than it saves.
WORTHWHILE = 20
CHUNK = 3


@contextmanager
def cell_parts(run: Run, processes: int = 1) -> Iterator[Iterator[CellPart]]:
    """The cells of a run in order, drawn while they are taken, or from now on by other `processes`.

    More than one needs a caller that can be imported again (`if __name__ == "__main__"`): the processes are
    started afresh rather than forked, which would copy locks held by this one's threads.
    """
    rows = rows_of(run.cells)
    draw = partial(_draw, run, tables.cell_names(run.cells), blocks.best(run))
    if processes < 2 or len(rows) < WORTHWHILE:
        yield map(draw, rows)
        return
    fresh = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(fresh)
    if fresh == "forkserver":
        context.set_forkserver_preload(["reports.page"])
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield pool.map(draw, rows, chunksize=CHUNK)


def _draw(run: Run, names: dict[str, str], chosen: blocks.Key | None, row: dict[str, Any]) -> CellPart:
    with no_collection():
        return cell_part(
            run, row, names[row["cell"]], unfold=chosen is not None and labels.key(row) == chosen
        )
