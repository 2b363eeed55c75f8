"""The loads of a race whose user named none: they follow from the probe, and move where a first look shows
that they would tell nothing.

What a first look measures is part of the race, so that it costs nothing unless a load does move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from experiments.cli.sweep_args import SweepOptions
from experiments.design.cells import Cell
from experiments.design.default_loads import allowed_in_flight, default_loads, moved
from experiments.design.probe import Probe
from experiments.racing.plan import RacePlan
from experiments.run_folder.folder import RunDir
from experiments.run_folder.reading import read_run
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from loadtests.slo import SLO

MOST_MOVES = 3
"""Of a load; further off the probe is of no use."""
LOOKED_AT = 3
"""Settings that all have to miss the one load, or to meet the other, before it moves."""

Attainments = Mapping[str, float]


def in_force(options: SweepOptions, run: RunDir, seen: Probe, slo: SLO) -> SweepSpec:
    """The spec with the loads in force: those named, those that the run has already, those of the run that it
    is to be like, or those that follow from the probe."""
    if options.spec.load.are_named:
        return options.spec
    if run.state.loads is None:
        loads: tuple[str, ...] = default_loads(slo, seen)
        if options.like is not None:
            loads = read_run(options.like).loads or options.spec.load.loads
        run.save(replace(run.state, loads=loads))
    assert run.state.loads is not None
    return with_loads(options.spec, run.state.loads)


def with_loads(spec: SweepSpec, loads: Sequence[str]) -> SweepSpec:
    """The spec under these loads."""
    return spec.model_copy(update={"load": spec.load.model_copy(update={"loads": tuple(loads)})})


def moved_after_a_look(
    loads: Sequence[str], slo: SLO, look: Callable[[str, Callable[[Attainments], bool]], Attainments]
) -> tuple[str, ...]:
    """The two loads, one of them moved if a look at it shows that it tells nothing; else as they are.

    Args:
        look: measures settings at a load until what it is given finds their attainments enough.
    """
    below, above = loads
    for load, to_be_met in ((below, True), (above, False)):

        def is_enough(seen: Attainments, to_be_met: bool = to_be_met) -> bool:
            return any((share >= slo.attainment) == to_be_met for share in seen.values())

        scenario, _, rate = load.partition("@")
        relative = float(rate.removesuffix("x"))
        to = moved(relative, look(load, is_enough), slo.attainment, to_be_met=to_be_met)
        if to != relative:
            there = f"{scenario}@{to:.2g}x"
            return (there, above) if to_be_met else (below, there)
    return below, above


def to_look_at(settings: Sequence[Setting], slo: SLO, seen: Probe) -> list[Setting]:
    """Some settings, one for each number of slots, the number that the objective allows for first."""
    allowed = allowed_in_flight(slo, seen)
    widest: dict[int, Setting] = {}
    for setting in sorted(settings, key=lambda s: s.smaller_first, reverse=True):
        widest.setdefault(setting.limits.max_active, setting)
    nearest = sorted(widest, key=lambda active: abs(math.log(active / allowed)))
    return [widest[active] for active in nearest[:LOOKED_AT]]


def leave(run: RunDir, plan: RacePlan, load: str) -> None:
    """The cells of a load that tells nothing are kept aside, and are none of the matrix."""
    every = [cell for cell in plan.stretches.cells if str(cell.load) == load]
    for cell in every:
        if run.is_done(cell.id):
            run.repeat_cell(cell.id, f"{load} tells nothing")
    ids = {cell.id for cell in every}
    run.save(replace(run.state, cells=tuple(cell for cell in run.state.cells if cell.id not in ids)))


def cell_at(plan: RacePlan, setting: Setting, load: str) -> Cell:
    """That cell of the race's first block."""
    return next(c for c in plan.stretches.cells if c.setting == setting and str(c.load) == load)
