"""The setting to apply, from a run's measured cells, with its evidence.

The choice is the least worst-case regret: over the loads that were measured, how far a setting's goodput
falls below the best one's at that load, at its worst. Among the settings that the data cannot tell from that
one, the smaller MAX_ACTIVE wins, then the shorter queue: the same goodput with less in flight leaves more
room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.decide import recommendation_doubts
from experiments.decide.shared_loads import contenders
from experiments.design.probe import Probe
from experiments.errors import UserError
from experiments.files import write_bytes
from experiments.measure.cell_evidence import is_stationary
from experiments.run_folder import codec
from experiments.run_folder.measured_cell import MeasuredCell, matrix_cells
from experiments.run_folder.reading import read_run
from experiments.run_folder.recommendation import LoadEvidence, Neighbour, Recommendation
from experiments.spec.setting import Setting
from experiments.stats.choice import Choice, choose
from experiments.stats.goodput import Interval, Trace, difference, of_cells
from experiments.stats.knee import Capacity, capacity, load_point
from loadtests.slo import SLO

_SPANS = 10
_LATE = (
    "PROVISIONAL: the load generator was late in too many cells (a busy machine?), so goodput is "
    "understated; repeat it on a quiet one"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One setting's measured cells at each load (the load's name → its cells in block order), judged under
    the SLO."""

    setting: Setting
    cells: dict[str, list[MeasuredCell]]
    traces: dict[str, list[Trace]]

    def goodput(self, load: str, span_s: float) -> Interval:
        """Goodput at `load`, requests per second."""
        return of_cells(self.traces[load], span_s)

    def attainment(self, load: str) -> float:
        """Share of the offered requests that met the SLO."""
        good = sum(int(trace.good.sum()) for trace in self.traces[load])
        offered = sum(len(trace.good) for trace in self.traces[load])
        return good / offered if offered else 0.0


def recommend(run: Path, slo: SLO) -> Recommendation:
    """The recommendation for a run under `slo`.

    Raises:
        UserError: the run has no valid cell that could be judged.
    """
    state = read_run(run)
    evidence, doubts = _usable_evidence(run, slo)
    loads = list(evidence[0].cells)
    span_s = _span_s(state.probe, evidence)
    values = {e.setting.name: {load: e.goodput(load, span_s) for load in loads} for e in evidence}
    best_at = {load: max(values[e.setting.name][load].value for e in evidence) for load in loads}
    found = _choice(evidence, loads, span_s)
    by_name = {e.setting.name: e for e in evidence}
    first, chosen, regret = by_name[found.winner], by_name[found.chosen], found.regret
    tied = [by_name[name] for name in found.tied]
    fallback = state.engine.facts.why if state.engine is not None else None
    doubts += [fallback] if fallback else []
    doubts += _doubts(chosen, loads, slo, values)
    doubts += recommendation_doubts.of_run(_cells(*evidence), _cells(chosen))
    name = chosen.setting.name
    return Recommendation(
        setting=chosen.setting,
        cell_ids=tuple(cell.id for load in loads for cell in chosen.cells[load]),
        slo=str(slo),
        engine=state.engine.label if state.engine is not None else None,
        worst_regret=regret[name],
        loads=tuple(
            LoadEvidence(
                load=load,
                rate_per_s=chosen.cells[load][0].rate_per_s,
                goodput_per_s=values[name][load],
                best_goodput_per_s=best_at[load],
                attainment=chosen.attainment(load),
            )
            for load in loads
        ),
        goodput_per_s=values[name][_hardest(chosen, loads)],
        attainment=chosen.attainment(_nominal(chosen, loads)),
        capacity=_capacity(chosen, slo.attainment),
        why=_why(chosen, first, tied, loads, values, best_at),
        neighbours=tuple(
            _neighbour(e, chosen, loads, span_s, values, regret[e.setting.name])
            for e in evidence
            if e is not chosen
        ),
        inseparable=tuple(e.setting for e in tied if e is not chosen),
        doubts=tuple(doubts),
        env=chosen.setting.env(),
    )


def save(run: Path, recommended: Recommendation) -> Path:
    """Write recommendation.json and recommended.env; returns the path of the latter."""
    codec.write(run / "recommendation.json", recommended)
    lines = [f"# From {run.name}, under {recommended.slo}, on {recommended.engine}"]
    flags = recommended.setting.engine.flags()
    if flags:
        lines.append(f"# The engine reads its part when it starts: vLLM with {' '.join(flags)}")
    lines += [f"{key}={value}" for key, value in recommended.env.items()]
    path = run / "recommended.env"
    write_bytes(path, ("\n".join(lines) + "\n").encode())
    return path


def _usable_evidence(run: Path, slo: SLO) -> tuple[list[Evidence], list[str]]:
    """The contenders, judged, and the doubts about leaving out the others."""
    cells = matrix_cells(run)
    found = contenders(cells)
    if not found.cells:
        why = f"{len(cells)} finished{f'; invalid: {_codes(cells)}' if cells else ''}"
        raise UserError(f"{run} has no valid, finished cell to recommend from ({why})")
    evidence = [
        Evidence(setting, own, {load: [cell.trace(slo) for cell in at] for load, at in own.items()})
        for setting, own in found.cells.items()
    ]
    if found.provisional:
        return evidence, [_LATE, *found.doubts]
    left_out = sum(bool(cell.invalid_codes) for cell in cells)
    why = f"marked invalid and left out ({_codes(cells)})"
    said = [f"{left_out} of {len(cells)} cells were {why}"] if left_out else []
    return evidence, found.doubts + said


def _codes(cells: Sequence[MeasuredCell]) -> str:
    """What made cells invalid."""
    return ", ".join(sorted({code for cell in cells for code in cell.invalid_codes}))


def _cells(*evidence: Evidence) -> list[MeasuredCell]:
    return [cell for e in evidence for cells in e.cells.values() for cell in cells]


def _span_s(probe: Probe | None, evidence: list[Evidence]) -> float:
    """Bootstrap spans of two requests' lives at capacity, so that one draw holds whole excursions of the
    queue.

    Shorter where the shortest window would have fewer than ten: an interval that is a little too narrow
    says more than none.
    """
    lives_s = 2.0 * (probe.e2e_at_capacity_s if probe is not None else 0.5)
    shortest_s = min(trace.duration_s for e in evidence for traces in e.traces.values() for trace in traces)
    return min(max(0.5, lives_s), shortest_s / _SPANS)


def _capacity(chosen: Evidence, target: float) -> Capacity | None:
    """How far the cliff is: the largest steady rate at which the chosen setting meets the objective; None
    where no steady rate was measured."""
    steady = [load for load, cells in chosen.cells.items() if is_stationary(cells[0].scenario)]
    points = [load_point(chosen.cells[load][0].rate_per_s, chosen.traces[load]) for load in steady]
    return capacity(points, target) if points else None


def _choice(evidence: list[Evidence], loads: list[str], span_s: float) -> Choice:
    by_name = {e.setting.name: e for e in evidence}
    goodputs = {
        name: {load: [trace.goodput_per_s for trace in e.traces[load]] for load in loads}
        for name, e in by_name.items()
    }
    smaller_first = [e.setting.name for e in sorted(evidence, key=lambda e: e.setting.smaller_first)]
    return choose(goodputs, smaller_first, lambda a, b: _separable(by_name[a], by_name[b], loads, span_s))


def _separable(a: Evidence, b: Evidence, loads: list[str], span_s: float) -> bool:
    return any(difference(a.traces[load], b.traces[load], span_s).above_zero for load in loads)


def _hardest(evidence: Evidence, loads: list[str]) -> str:
    return max(loads, key=lambda load: evidence.cells[load][0].rate_per_s)


def _nominal(evidence: Evidence, loads: list[str]) -> str:
    """The largest load that is not above capacity; without one, the smallest."""
    below = [load for load in loads if (evidence.cells[load][0].relative_load or 0.0) <= 1.0]
    if below:
        return _hardest(evidence, below)
    return min(loads, key=lambda load: evidence.cells[load][0].rate_per_s)


def _why(
    chosen: Evidence,
    first: Evidence,
    tied: list[Evidence],
    loads: list[str],
    values: dict[str, dict[str, Interval]],
    best_at: dict[str, float],
) -> str:
    shares = ", ".join(
        f"{values[chosen.setting.name][load].value / best_at[load]:.0%} of the best at {load}"
        if best_at[load]
        else f"nothing good at {load}"
        for load in loads
    )
    text = f"{chosen.setting.name} reached {shares}."
    if chosen is not first:
        text += (
            f" {first.setting.name} measured higher, but not by more than the noise, and admits "
            "more at once or queues longer."
        )
    elif len(tied) > 1:
        text += f" {len(tied) - 1} other setting(s) cannot be told apart from it by this run."
    return text


def _neighbour(
    other: Evidence,
    chosen: Evidence,
    loads: list[str],
    span_s: float,
    values: dict[str, dict[str, Interval]],
    regret: float,
) -> Neighbour:
    """Another setting with the load at which it does worst against the chosen one, and what that difference
    is worth."""
    gaps = {load: difference(chosen.traces[load], other.traces[load], span_s) for load in loads}
    load = max(loads, key=lambda name: gaps[name].value)
    gap = gaps[load]
    if gap.above_zero:
        text = f"{gap.value:.2f} good requests/s fewer at {load} (95 %: {gap.low:.2f} to {gap.high:.2f})"
    elif gap.low is None or gap.high is None:
        text = f"cannot be told apart: the window at {load} is too short for an interval"
    else:
        text = (
            f"cannot be told apart at any load (at {load}: {gap.value:+.2f}/s, 95 %: {gap.low:.2f} "
            f"to {gap.high:.2f})"
        )
    return Neighbour(
        setting=other.setting,
        name=other.setting.name,
        goodput_per_s=values[other.setting.name][_hardest(other, loads)],
        worst_regret=regret,
        why_not=text,
    )


def _doubts(
    chosen: Evidence, loads: list[str], slo: SLO, values: dict[str, dict[str, Interval]]
) -> list[str]:
    doubts = []
    nominal = _nominal(chosen, loads)
    share = chosen.attainment(nominal)
    if share < slo.attainment:
        doubts.append(
            f"the SLO asks for {slo.attainment:.0%} of the offered requests; at {nominal} {share:.1%} met it"
        )
    if all(len(traces) < 3 for traces in chosen.traces.values()):
        doubts.append(
            "fewer than three arrival traces: the intervals do not hold what another trace would "
            "change (--blocks 3)"
        )
    if any(interval.low is None for interval in values[chosen.setting.name].values()):
        doubts.append("a window is too short for an interval of the goodput")
    return doubts
