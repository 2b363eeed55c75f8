"""Saving a measured cell while the next one warms up, out of everybody's way."""

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from experiments.design.cells import Cell
from experiments.errors import EnvironmentProblem
from experiments.run_folder.cell_summary import CellSummary


class BackgroundSaver:
    """One thread that has the lowest priority and stays off the engine's cores.

    What was put in is saved also when the block is left by an exception: it was measured.
    """

    def __init__(self, cpus: Collection[int] | None) -> None:
        self._pool = ThreadPoolExecutor(1, "saver", initializer=_step_back, initargs=(cpus,))
        self._put: list[tuple[Cell, Future[CellSummary]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def put(self, cell: Cell, save: Callable[[], CellSummary]) -> None:
        """Have `save` done; returns at once."""
        self._put.append((cell, self._pool.submit(save)))

    def results(self) -> Iterator[tuple[Cell, CellSummary | EnvironmentProblem]]:
        """Each cell put in so far, once, with its summary or what kept it from being saved; waits for it."""
        while self._put:
            cell, future = self._put.pop(0)
            try:
                yield cell, future.result()
            except EnvironmentProblem as error:
                yield cell, error


def _step_back(cpus: Collection[int] | None) -> None:
    """Lowest priority, for the calling thread alone, where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        if cpus:
            os.sched_setaffinity(0, cpus)
