"""What a sweep would measure, without starting anything."""

from collections.abc import Iterator

from experiments.design import matrix
from experiments.design.matrix import Matrix
from experiments.design.objective import DEFAULT_SLO
from experiments.design.probe import ASSUMED
from experiments.spec.durations import show as show_span
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.providers import known
from loadtests.slo import SLO


def show(spec: SweepSpec) -> str:
    """The cells in running order, the engine's starts, and the time they take, for a terminal."""
    start_s = known.assumed_start_s(spec.engine.provider)
    planned = matrix.build(
        spec,
        ASSUMED,
        spec.load.objective(SLO.parse(spec.slo.text or DEFAULT_SLO)),
        sentinel=True,
        engine_start_s=start_s,
    )
    lines = [f"{len(planned.cells)} cells, in this order:", *_cells(planned)]
    lines.append(
        f"about {show_span(planned.expected_s)} once the engine is ready{_restarts(planned, start_s)}"
    )
    if spec.design.sentinel and not any(cell.sentinel for cell in planned.cells):
        lines.append("one block has no sentinel: drift is watched from block to block")
    if len(spec.load.workloads) > 1:
        lines.append("every workload is taken for the first here; the real engine is probed with each")
    lines.append(
        f"assuming an idle request takes {ASSUMED.e2e_s:g} s and capacity is "
        f"{ASSUMED.capacity_per_s:g}/s; the probe of the "
        "real engine sets rates, windows and the derived queue timeout"
    )
    return "\n".join(lines)


def _cells(planned: Matrix) -> Iterator[str]:
    for number, (knobs, cells) in enumerate(planned.engines, 1):
        if knobs.given():
            yield f" engine start {number} of {len(planned.engines)}: {knobs}"
        for cell in cells:
            phase = planned.phases[cell.load]
            yield (
                f"  {cell.id}: {cell.load.rate_per_s:g}/s for {phase.warm_up_s:g} + {phase.measure_s:g} s, "
                f"drain up to {phase.drain_s:g} s"
            )


def _restarts(planned: Matrix, start_s: float) -> str:
    restarts = len(planned.engines) - 1
    if not restarts:
        return ""
    return f", with {restarts} restart{'s' * (restarts > 1)} of it (about {start_s:g} s each)"
