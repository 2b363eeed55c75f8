"""Two sides measured in turn, block by block, each block on one arrival plan for both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from experiments.cli.progress import SweepProgress
from experiments.cli.sweep_args import SweepOptions
from experiments.design.cells import Cell
from experiments.design.matrix import Matrix
from experiments.design.pair_order import Side, order_of
from experiments.design.windows import Phases
from experiments.errors import EnvironmentProblem
from experiments.measure import engine_setup, sweep_stack
from experiments.measure.cell import MeasurementContext
from experiments.measure.run_cells import run_cells
from experiments.measure.sweep_stack import SweepStack
from experiments.run_folder.folder import RunDir
from experiments.run_folder.live_run import LiveWay
from experiments.run_folder.reading import objective_of


@dataclass(frozen=True, slots=True)
class LivePair:
    """Both sides: what was asked of each, the run folder of each, and how they take turns."""

    options: Mapping[Side, SweepOptions]
    runs: Mapping[Side, RunDir]
    way: LiveWay
    seed: int
    progress: SweepProgress

    def is_done(self, side: Side, block: int) -> bool:
        """Whether that side has measured that block."""
        return any((self.runs[side].path / "cells").glob(f"[!.]*--b{block}/summary.json"))


@dataclass(frozen=True, slots=True)
class _Bench:
    """A running side, ready for its cells."""

    matrix: Matrix
    context: MeasurementContext
    stack: SweepStack

    def measure(self, block: int, done: int, progress: SweepProgress) -> None:
        """The block's cell, once more where it came out invalid or failed.

        Raises:
            EnvironmentProblem: it failed twice.
        """
        cell = replace(self.matrix.cells[0], block=block)
        progress.plan([self.matrix.phases[cell.load].expected_s], done)
        failed, invalid = self._once(cell, progress)
        if failed or invalid:
            if invalid:
                self.context.run.repeat_cell(cell.id, "invalid")
            failed, _ = self._once(cell, progress)
        if failed:
            raise EnvironmentProblem(
                f"block {block} could not be measured: see {self.context.run.path}/journal.jsonl"
            )

    def _once(self, cell: Cell, progress: SweepProgress) -> tuple[list[Cell], list[Cell]]:
        return run_cells([cell], self.matrix, self.context, self.stack, progress)


def measure_blocks(pair: LivePair, next_block: Callable[[], int | None]) -> None:
    """Block after block on both sides, until `next_block`, asked before each, names none.

    A block of which one side was measured already, by a run that was stopped, gets the other.
    """
    with contextlib.ExitStack() as kept:
        up: dict[Side, _Bench] = {}
        while (block := next_block()) is not None:
            for side in order_of(pair.seed, block):
                if pair.is_done(side, block):
                    continue
                with _bench(pair, side, up, kept) as bench:
                    bench.measure(block, block, pair.progress)


@contextlib.contextmanager
def _bench(
    pair: LivePair, side: Side, up: dict[Side, _Bench], kept: contextlib.ExitStack
) -> Iterator[_Bench]:
    """The side's stack: one that is kept up, or one for this block alone."""
    if pair.way is LiveWay.IN_TURN:
        with contextlib.ExitStack() as stack:
            yield _ready(pair, side, stack.enter_context(_stack(pair, side)))
        return
    if not up:
        of_a = kept.enter_context(_stack(pair, Side.A))
        up[Side.A] = _ready(pair, Side.A, of_a)
        one = pair.way is LiveWay.ONE_ENGINE
        if one:
            _adopt(pair)
        of_b = of_a if one else kept.enter_context(_stack(pair, Side.B))
        up[Side.B] = _ready(pair, Side.B, of_b)
    yield up[side]


def _stack(pair: LivePair, side: Side) -> contextlib.AbstractContextManager[SweepStack]:
    options, run = pair.options[side], pair.runs[side]
    knobs = options.spec.engine.values()[0]
    pair.progress.say(f"side {side.name}")
    return sweep_stack.running(options, run.logs, run.prometheus_data, pair.progress.say, knobs)


def _ready(pair: LivePair, side: Side, stack: SweepStack) -> _Bench:
    """Warm the engine up; settle rate, windows and objective by A's probe, which holds for both."""
    options, run = _as_a(pair, side), pair.runs[side]
    if pair.way is not LiveWay.ONE_ENGINE or side is Side.A:
        seen = engine_setup.probe_engine(options, run, stack, pair.progress)
        engine_setup.settle_objective(options, run, stack, seen)
    engine_setup.record_start(run, stack)
    slo = objective_of(pair.runs[Side.A].path)
    context = MeasurementContext(
        run, stack.admin, stack.metrics, slo, stack.engine.label, engine_setup.max_running(stack)
    )
    return _Bench(_matrix(pair, side), context, stack)


def _as_a(pair: LivePair, side: Side) -> SweepOptions:
    """The side's options; B's with A's probe and objective, whatever its engine would be asked by itself."""
    options = pair.options[side]
    if side is Side.A:
        return options
    of_a = pair.runs[Side.A]
    slo = options.spec.slo.model_copy(update={"text": str(objective_of(of_a.path))})
    return replace(options, like=of_a.path, spec=options.spec.model_copy(update={"slo": slo}))


def _matrix(pair: LivePair, side: Side) -> Matrix:
    """The side's cell with the phases of both: the same arrivals, and as long a warm-up and drain as either
    needs."""
    of_a = pair.runs[Side.A]
    seen, slo = of_a.state.probe, objective_of(of_a.path)
    assert seen is not None, "A was probed"
    both = {
        one: engine_setup.build(pair.options[one], of_a, seen, slo, pair.options[one].spec) for one in Side
    }
    longest = {
        load: _longest(both[Side.A].phases[load], both[Side.B].phases[load]) for load in both[side].phases
    }
    # Every cell plays its plan's whole warm-up, so that both sides begin alike.
    return replace(both[side], phases=longest, in_full=True)


def _longest(a: Phases, b: Phases) -> Phases:
    return Phases(max(a.warm_up_s, b.warm_up_s), max(a.measure_s, b.measure_s), max(a.drain_s, b.drain_s))


def _adopt(pair: LivePair) -> None:
    """B's run has what was found out about the engine that both share."""
    of_a, of_b = pair.runs[Side.A], pair.runs[Side.B]
    known = of_a.state
    of_b.save(
        replace(
            of_b.state, probe=known.probe, probes=known.probes, engine=known.engine, slo=known.slo,
            like=of_a.path.name,
        )
    )  # fmt: skip
