"""A run as notebooks and scripts have it: the tidy frames, and the report's figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.errors import UserError
from experiments.run_folder.whole_run import read_whole_run
from reports.errors import NotARunError
from reports.plots import Plots
from reports.run import Run, of_whole


@dataclass(frozen=True, slots=True)
class LoadedRun(Run):
    """A `Run` that can be drawn."""

    @property
    def plot(self) -> Plots:
        """The report's figures of this run: `plot.hockey_stick()`."""
        return Plots(self)


def load(run: str | Path) -> LoadedRun:
    """Read a run folder; what is missing or damaged becomes a sentence in `Run.problems`.

    Raises NotARunError when the path is no folder, or holds neither run.json nor a cell.
    """
    try:
        return of_whole(read_whole_run(Path(run)), LoadedRun)
    except UserError as error:
        raise NotARunError(str(error)) from None
