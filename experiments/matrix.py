"""The matrix with every open value filled in from the probe: settings, rates, phases, plans, cells in running
order."""

import hashlib
from dataclasses import dataclass
from typing import Any

from experiments import budget, points
from experiments.config import SweepSpec
from experiments.loads import Load
from experiments.points import Cell, Setting
from experiments.probe import Probe
from experiments.slo_scaling import queue_timeout_s
from experiments.windows import Phases, phases
from loadtests import plan as plans
from loadtests.plan import Plan
from loadtests.scenarios import Shape
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Matrix:
    """What will be measured; `cells` in running order, `phases` by load."""

    cells: tuple[Cell, ...]
    phases: dict[Load, Phases]
    spec: SweepSpec
    expected_s: float
    said: str | None

    def plan(self, cell: Cell) -> Plan:
        """The arrival plan of a cell: the same for every setting of its load and block."""
        load, phase, shape = cell.load, self.phases[cell.load], self._shape(cell.load)
        assert load.rate_per_s is not None, "the matrix holds resolved loads only"
        section = self.spec.load
        return plans.make(
            load.scenario,
            load.rate_per_s,
            phase.warm_up_s,
            phase.measure_s,
            _seed(section.seed, load, cell.block),
            section.prompt_tokens,
            section.output_tokens,
            shape=shape,
        )

    def _shape(self, load: Load) -> Shape:
        """Two whole bursts in every measured window, each a quarter of its period long."""
        period_s = self.phases[load].measure_s / 2
        return Shape(burst_s=period_s / 4, period_s=period_s)

    def to_json(self) -> list[dict[str, Any]]:
        """As stored in run.json, to show what was planned also when only a part was measured."""
        return [
            {
                "id": cell.id,
                "setting": cell.setting.limits(),
                "workload": {
                    "load": str(cell.load),
                    "scenario": cell.load.scenario,
                    "rate_per_s": cell.load.rate_per_s,
                    "relative_load": cell.load.relative,
                    "block": cell.block,
                },
            }
            for cell in self.cells
        ]


def build(spec: SweepSpec, probe: Probe, slo: SLO) -> Matrix:
    """The matrix for this spec on the engine that was probed. The same arguments always give the same
    matrix."""
    timeout_s = queue_timeout_s(slo.ttft_s, probe.ttft_at_capacity_s)
    settings = points.settings(spec, timeout_s)
    loads = tuple(load.at_capacity(probe.capacity_per_s) for load in spec.load.parsed())
    longest_s = _longest_queue_timeout_s(settings)
    by_load = {
        load: phases(spec.window, load.rate_per_s or 0.0, probe.e2e_at_capacity_s, longest_s)
        for load in loads
    }
    fitted = budget.fit(settings, spec.design.blocks, by_load, spec.design.budget_s)
    cells = points.cells(fitted.settings, loads, fitted.blocks, spec.load.seed)
    return Matrix(cells, fitted.phases, spec, fitted.expected_s, fitted.said)


def _longest_queue_timeout_s(settings: tuple[Setting, ...]) -> float:
    return max((s.queue_timeout_s for s in settings if s.queue_mode == "queue"), default=0.0)


def _seed(seed: int, load: Load, block: int) -> int:
    """A seed of its own for each trace, fixed by the sweep's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{load}/{block}".encode()).digest()[:4])
