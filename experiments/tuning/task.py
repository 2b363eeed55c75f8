"""What is to be tuned, and what one measured run of a cell showed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from loadtests.planning.plan import Plan
from loadtests.slo import SLO

FRESH = 10_000
"""Blocks from here on are traces that only the twin plays: a prediction must not know the verified ones."""


@dataclass(frozen=True, slots=True)
class Task:
    """The matrix and its workload.

    Attributes:
        settings: of the matrix, each once; `default`, what is in force today, is one of them.
        loads: resolved (requests per second).
        slo: judges each request.
        plan: arrivals of a cell, the same for every setting of its load and block.
        cell_s: engine time that one run of a load takes, all phases, seconds.
    """

    settings: tuple[Setting, ...]
    default: Setting
    loads: tuple[Load, ...]
    slo: SLO
    plan: Callable[[Cell], Plan]
    cell_s: Callable[[Load], float]

    def fresh_plans(self, load: Load, count: int) -> list[Plan]:
        """`count` traces of a load that are never measured."""
        return [self.plan(Cell(self.default, load, FRESH + k)) for k in range(count)]

    @property
    def nominal(self) -> Load:
        """The largest load that is not above capacity; without one, the smallest."""
        by_rate = sorted(self.loads, key=lambda load: load.rate_per_s or 0.0)
        below = [load for load in by_rate if (load.relative or 0.0) <= 1.0]
        return below[-1] if below else by_rate[0]


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One measured run. `values`: measure → value (nan: not defined), `intervals`: measure → its own 95 %
    interval where it has one; `speed`: measured over modelled duration of the run's steps, by the model of
    the calibration; `engine_s`: what it cost."""

    cell: Cell
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    speed: float
    engine_s: float


class CellMeasurer(Protocol):
    """Where cells are measured: a live stack, or an engine in virtual time."""

    def measure(self, cells: Sequence[Cell]) -> list[MeasuredRun]:
        """Run the cells in this order; what could not be measured is left out."""
