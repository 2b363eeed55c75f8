"""What a sweep would measure, without starting anything."""

from experiments import matrix
from experiments.config import SweepSpec
from experiments.durations import show as show_span
from experiments.probe import Probe
from experiments.slo_scaling import DEFAULT_SLO
from loadtests.slo import SLO

# The tiny model on one core, about; only --dry-run uses it, and says so.
_ASSUMED = Probe(
    ttft_s=0.03,
    tpot_s=0.02,
    e2e_s=0.5,
    capacity_per_s=15.0,
    e2e_at_capacity_s=1.0,
    ttft_at_capacity_s=0.1,
    steps=(),
)


def show(spec: SweepSpec) -> str:
    """The cells in running order and the time they take, for a terminal."""
    planned = matrix.build(spec, _ASSUMED, SLO.parse(spec.slo.text or DEFAULT_SLO))
    lines = [f"{len(planned.cells)} cells, in this order:"]
    for cell in planned.cells:
        phase = planned.phases[cell.load]
        lines.append(
            f"  {cell.id}: {cell.load.rate_per_s:g}/s for {phase.warm_up_s:g} + {phase.measure_s:g} s, "
            f"drain up to {phase.drain_s:g} s"
        )
    lines.append(f"about {show_span(planned.expected_s)} once the engine is ready")
    if planned.said:
        lines.append(planned.said)
    lines.append(
        f"assuming an idle request takes {_ASSUMED.e2e_s:g} s and capacity is "
        f"{_ASSUMED.capacity_per_s:g}/s; the probe of the "
        "real engine sets rates, windows and the derived queue timeout"
    )
    return "\n".join(lines)
