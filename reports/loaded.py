"""A run as notebooks and scripts have it: the tidy frames, and the report's figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.plots import Plots
from reports.run import Run, load_as


@dataclass(frozen=True, slots=True)
class LoadedRun(Run):
    """A `Run` that can be drawn."""

    @property
    def plot(self) -> Plots:
        """The report's figures of this run: `plot.hockey_stick()`."""
        return Plots(self)


def load(run: str | Path) -> LoadedRun:
    """As `reports.run.load`, to be drawn."""
    return load_as(run, LoadedRun)
