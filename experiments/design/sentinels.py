"""The sentinel: one cell of the current setting in every block, to see whether machine and engine stayed the
same.

It is not measured to judge the setting but to hold still: on the same arrivals in every block, at half the
rate that the setting carries. On fresh arrivals, or near the edge, a cell that nothing happened to would be
called drifted in 6 to 63 % of sweeps; like this it is in fewer than 1 % (`tests/experiments/stats`).
"""

from dataclasses import dataclass, replace

from experiments.design.probe import Probe
from experiments.design.windows import Phases, longest_life_s, phases
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec

_CALM = 0.5


@dataclass(frozen=True, slots=True)
class Sentinel:
    """The current setting, and what it is measured under."""

    setting: Setting
    load: Load
    phases: Phases


def of(spec: SweepSpec, probe: Probe, by_load: dict[Load, Phases]) -> Sentinel:
    """The sentinel of a sweep over the loads of `by_load`."""
    setting = Setting(spec.design.current.limits(), lanes=spec.gateway.first_lanes)
    rate_per_s = float(f"{_CALM * probe.rate_with(setting.limits.max_active):.3g}")
    life_s = longest_life_s(probe, setting.limits.max_active, 0.0)
    alone = phases(spec.window, rate_per_s, life_s, 0.0)
    # A slow setting would need minutes for the requests of one cell; it may take what the others take.
    longest_s = max(phase.measure_s for phase in by_load.values())
    alone = replace(alone, measure_s=min(alone.measure_s, longest_s))
    first = spec.load.workloads[0] if spec.load.workloads else None
    return Sentinel(setting, Load("sustained", rate_per_s, None, first), alone)
