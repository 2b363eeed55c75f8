"""The matrix with every open value filled in from the probe: settings, rates, phases, plans, cells in running
order."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from experiments.design import sentinels, settling
from experiments.design.cells import Cell, cells_in_order, settings_of
from experiments.design.objective import queue_timeout_s
from experiments.design.probe import Probe
from experiments.design.windows import (
    LIVES,
    LIVES_OF_COSTS,
    Phases,
    for_sessions,
    longest_life_s,
    phases,
)
from experiments.spec.gateway_section import AUTO
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import QueueMode
from loadtests.planning import plan as plans
from loadtests.planning.late_begin import begun_late
from loadtests.planning.plan import Plan
from loadtests.planning.rate import RECORDED
from loadtests.planning.scenarios import SCENARIOS, Shape
from loadtests.planning.session_shape import SessionShape
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Matrix:
    """What will be measured; `cells` in running order, `phases` by load. `context_tokens`: of the engine.
    `seen`: of the probe, by load; `in_full`: whether every cell takes its plan's whole warm-up."""

    cells: tuple[Cell, ...]
    phases: dict[Load, Phases]
    spec: SweepSpec
    expected_s: float
    context_tokens: int | None = None
    seen: Mapping[Load, Probe] = field(default_factory=dict)
    in_full: bool = False

    @property
    def engines(self) -> tuple[tuple[EngineKnobs, tuple[Cell, ...]], ...]:
        """The engine's values in running order, each once, with their cells."""
        return tuple(
            (knobs, tuple(of)) for knobs, of in groupby(self.cells, lambda cell: cell.setting.engine)
        )

    def plan(self, cell: Cell) -> Plan:
        """The arrival plan of a cell: the same for every setting of its load and block.

        The sentinel has the first block's in every block: repeated on one trace a cell differs by 1 to 2 %,
        on fresh ones by tens. Of a recording each block plays another stretch.
        """
        load, phase, shape = cell.load, self.phases[cell.load], self._shape(cell.load)
        assert load.rate_per_s is not None, "the matrix holds resolved loads only"
        section, block = self.spec.load, 0 if cell.sentinel else cell.block
        seed = _seed(section.seed, load, block)
        if load.scenario == RECORDED:
            window = phase.warm_up_s, phase.measure_s
            return section.recorded_plan(load, *window, block, self.context_tokens)
        return plans.make(
            load.scenario,
            load.rate_per_s,
            phase.warm_up_s,
            phase.measure_s,
            seed,
            mix=section.requests(load.workload, self.context_tokens),
            shape=shape,
        )

    def played(self, cell: Cell) -> Plan:
        """The plan as this cell plays it: begun as late as its setting has settled until the measured window.

        Not where a warm-up was asked for, nor of sessions, nor on an engine with other limits than the one
        that was probed.
        """
        drawn, seen = self.plan(cell), self.seen.get(cell.load)
        probed = cell.setting.engine == self.spec.engine.values()[0]
        if drawn.causal or self.in_full or self.spec.window.warm_up_s != AUTO or seen is None or not probed:
            return drawn
        lengths = [arrival.output_tokens for arrival in drawn.arrivals]
        needed_s = settling.warm_up_s(seen, cell.setting.limits, drawn.header.rate_per_s, lengths)
        return begun_late(drawn, round(needed_s, 1))

    def _shape(self, load: Load) -> Shape:
        """Two whole bursts in every measured window, each a quarter of its period long."""
        period_s = self.phases[load].measure_s / 2
        return Shape(burst_s=period_s / 4, period_s=period_s)


def build(
    spec: SweepSpec,
    probe: Probe,
    slo: SLO,
    *,
    probes: Mapping[str, Probe] | None = None,
    context_tokens: int | None = None,
    sentinel: bool = False,
    engine_start_s: float = 0.0,
) -> Matrix:
    """The matrix for this spec on the engine that was probed. The same arguments always give the same
    matrix.

    Args:
        probes: of the workloads other than the first, by name; one that is not there is taken for the first.
        context_tokens: what the engine's context holds; None: not known.
        sentinel: watch the current setting from block to block, if the spec wants it and there are blocks.
        engine_start_s: what each further start of the engine costs.
    """
    timeout_s = queue_timeout_s(slo.longest_ttft_s, probe.ttft_at_capacity_s)
    settings = settings_of(spec, timeout_s)
    longest_s = _longest_queue_timeout_s(settings)
    widest = max(setting.limits.max_active for setting in settings)
    lives = LIVES_OF_COSTS if len(spec.gateway.slot_cost) > 1 else LIVES
    by_load: dict[Load, Phases] = {}
    probed: dict[Load, Probe] = {}
    for relative in spec.load.parsed():
        seen = (probes or {}).get(relative.workload or "", probe)
        load = spec.load.resolved(relative, seen.capacity_per_s)
        life_s = longest_life_s(seen, widest, longest_s)
        probed[load] = seen
        by_load[load] = phases(spec.window, load.rate_per_s or 0.0, life_s, longest_s, lives)
        sessions = _longest_sessions(spec, load, context_tokens)
        if sessions is not None:
            by_load[load] = for_sessions(by_load[load], spec.window, sessions, life_s)
    engines, blocks = spec.engine.values(), spec.design.blocks
    watched = None
    if sentinel and spec.design.sentinel and blocks > 1:
        watched = sentinels.of(spec, probe, by_load)
    cells = cells_in_order(
        settings,
        tuple(by_load),
        blocks,
        spec.load.seed,
        engines=engines,
        sentinel=None if watched is None else (watched.setting, watched.load),
    )
    all_phases = by_load if watched is None else {watched.load: watched.phases, **by_load}
    probed = probed if watched is None else {watched.load: probe, **probed}
    extra_s = 0.0 if watched is None else watched.phases.expected_s
    block_s = len(settings) * sum(phase.expected_s for phase in by_load.values()) + extra_s
    expected_s = len(engines) * blocks * block_s + engine_start_s * (len(engines) - 1)
    return Matrix(cells, all_phases, spec, expected_s, context_tokens, probed)


def _longest_sessions(spec: SweepSpec, load: Load, context_tokens: int | None) -> SessionShape | None:
    """The sessions of a load; of several load classes the longest. A recording's await no answers."""
    if load.scenario == RECORDED:
        return None
    mix, otherwise = spec.load.requests(load.workload, context_tokens), SCENARIOS[load.scenario].sessions
    parts = [mix.of(one) for one in mix.classes] or [mix]
    found = [shape for part in parts if (shape := part.session_shape(otherwise)) is not None]
    return max(found, key=lambda shape: (shape.pauses_s, shape.in_a_row), default=None)


def _longest_queue_timeout_s(settings: tuple[Setting, ...]) -> float:
    return max(
        (s.limits.queue_timeout_s for s in settings if s.limits.queue_mode is QueueMode.QUEUE), default=0.0
    )


def _seed(seed: int, load: Load, block: int) -> int:
    """A seed of its own for each trace, fixed by the sweep's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{load}/{block}".encode()).digest()[:4])
