"""How a race is planned: its stretches, what its time is spent on, and what `--dry-run` says of it."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.design import matrix
from experiments.design.default_loads import default_loads
from experiments.design.matrix import Matrix
from experiments.design.objective import DEFAULT_SLO
from experiments.design.probe import ASSUMED
from experiments.spec.durations import show as show_span
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import EngineKnobs
from loadtests.slo import SLO

SHORTER = 2
"""Arrivals of a stretch: this part of --min-requests, which are for a p95, and a race needs none."""
SEARCHED = 6
"""Stretches that the search for the largest rate may take."""
LEAST_SHARE = 0.6
"""Of a budget, for the race itself, however small it is."""
CONFIRMING = 1000
"""Blocks from here on take no part in a choice."""


@dataclass(frozen=True, slots=True)
class RacePlan:
    """What is raced on one start of the engine, and for how long.

    Attributes:
        stretches: phases and plans of the race's cells; its cells are one block of the whole matrix.
        confirming: the same for the cells whose numbers are published, with whole windows.
        race_s, confirm_s, search_s: for the race, for confirming its winner, for the search for the largest
            rate that the winner takes; seconds.
    """

    stretches: Matrix
    confirming: Matrix
    race_s: float
    confirm_s: float
    search_s: float

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Of the matrix, each once: the gateway's part, which every start of the engine races."""
        return tuple(dict.fromkeys(cell.setting.on(EngineKnobs()) for cell in self.stretches.cells))


def race_plan(spec: SweepSpec, confirming: Matrix, stretches: Matrix, engines: int) -> RacePlan:
    """The plan from one block of the matrix with whole windows, and one with stretches.

    Without a budget the race may take as long as the matrix would on `--blocks` traces; mostly it is decided
    earlier.
    """
    loads = {cell.load for cell in confirming.cells}
    confirm_s = sum(confirming.phases[load].expected_s for load in loads)
    search_s = SEARCHED * max(stretches.phases[load].expected_s for load in loads)
    grid_s = sum(confirming.phases[cell.load].expected_s for cell in confirming.cells) / engines
    budget_s = spec.design.budget_s
    if budget_s is None:
        return RacePlan(stretches, confirming, spec.design.blocks * grid_s, confirm_s, search_s)
    each_s = budget_s / engines
    race_s = max(LEAST_SHARE * each_s, each_s - confirm_s - search_s)
    return RacePlan(stretches, confirming, race_s, confirm_s, max(0.0, each_s - race_s - confirm_s))


def announced(plan: RacePlan) -> str:
    """What will be decided and how long it takes at most, in a sentence."""
    loads = " and ".join(sorted({str(cell.load) for cell in plan.stretches.cells}))
    searched = (
        f", and up to {show_span(plan.search_s)} for the largest rate that it takes" if plan.search_s else ""
    )
    return (
        f"to be decided: which of {len(plan.settings)} settings is the best within 3 % under {loads}, in "
        f"{show_span(plan.race_s)} at most; then about {show_span(plan.confirm_s)} to confirm it{searched}"
    )


def one_block(spec: SweepSpec) -> SweepSpec:
    """The spec with one block and no budget: the matrix as it stands."""
    design = spec.design.model_copy(update={"blocks": 1, "budget_s": None, "sentinel": False})
    return spec.model_copy(update={"design": design})


def in_stretches(spec: SweepSpec) -> SweepSpec:
    """The spec with windows as short as a race wants them, where they were not given."""
    fewer = max(1, -(-spec.window.min_requests // SHORTER))
    window = spec.window.model_copy(update={"min_requests": fewer})
    return spec.model_copy(update={"window": window})


def dry_run(spec: SweepSpec) -> str:
    """What would be raced, and for how long at most, without starting anything."""
    slo = spec.load.objective(SLO.parse(spec.slo.text or DEFAULT_SLO))
    if own := not spec.load.are_named:
        load = spec.load.model_copy(update={"loads": default_loads(slo, ASSUMED)})
        spec = spec.model_copy(update={"load": load})
    whole = matrix.build(one_block(spec), ASSUMED, slo)
    short = matrix.build(in_stretches(one_block(spec)), ASSUMED, slo)
    engines = len(spec.engine.values())
    plan = race_plan(spec, whole, short, engines)
    loads = {cell.load: plan.stretches.phases[cell.load] for cell in short.cells}
    lines = [f"a race of {len(plan.settings)} settings:"]
    lines += [f"  {setting.name}" for setting in plan.settings]
    lines += ["in stretches of:"]
    lines += [
        f"  {load}: {load.rate_per_s:g}/s for {phases.warm_up_s:g} + {phases.measure_s:g} s, drain up to "
        f"{phases.drain_s:g} s"
        for load, phases in loads.items()
    ]
    starts = f" on each of {engines} starts of the engine" if engines > 1 else ""
    lines += [
        f"until the best is found within 3 %, at most {show_span(plan.race_s)}{starts}; then about",
        f"  {show_span(plan.confirm_s + plan.search_s)} to confirm it, and the largest rate that it takes",
        "--design grid measures every cell instead",
        *(
            ["loads follow from the probe where none are named: one that is met, and one that is missed"]
            if own
            else []
        ),
        f"assuming an idle request takes {ASSUMED.e2e_s:g} s and capacity is "
        f"{ASSUMED.capacity_per_s:g}/s; the probe of the",
        "  real engine sets rates, windows and the derived queue timeout",
    ]
    return "\n".join(lines)
