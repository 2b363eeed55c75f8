"""The setting to apply, from a run's measured cells, with its evidence.

The choice is the least worst-case regret: over the loads that were measured, how far a setting's goodput
falls below the best one's at that load, at its worst. Among the settings that the data cannot tell from that
one, the smaller MAX_ACTIVE wins, then the shorter queue: the same goodput with less in flight leaves more
room.

Of several load classes each has to be satisfied (`load_classes`): goodput counts the requests that met their
own class's objective, and a setting that surely misses one of them is left out while another does not.

Settings need not have the same cells: two of them are compared on the arrivals that both met, and goodputs
are brought to the same arrivals before one is called the best.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue, ValidationError

from experiments.decide import of_race, recommendation_doubts
from experiments.decide.beyond import MOST_REPLAYED, above_capacity, margin_of
from experiments.decide.capacities import capacity_of, holds, is_next_to
from experiments.decide.evidence import Evidence, Gathered, attainment, gather
from experiments.decide.load_classes import Satisfying, of_classes, satisfying
from experiments.decide.neighbours import Ground, hardest, neighbour
from experiments.decide.nominal_load import nominal_load
from experiments.decide.probe_doubts import of_probe
from experiments.design.probe import Probe
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.reading import in_classes, read_run
from experiments.run_folder.recommendation import LoadEvidence, Neighbour, Recommendation, Standing
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from experiments.stats.choice import Choice, Means, choose_by_means
from experiments.stats.goodput import of_cells
from gateway.limits import Limits
from gateway.settings import LiveSettings
from loadtests.slo import SLO

_SPANS = 10


def recommend(run: Path, slo: SLO) -> Recommendation:
    """The recommendation for a run under `slo`.

    Raises:
        UserError: the run has no valid cell that could be judged.
        UndecidedError: most of its cells were disturbed.
    """
    state = read_run(run)
    slo = in_classes(slo, state)
    found = gather(run, slo)
    span_s = _span_s(state.probe, (*found.contenders, *found.others))
    best = {load: max(found.means[load][s] for s in found.best_of[load]) for load in found.loads}
    raced = of_race.judged_again(run, [cell for cell in finished_cells(run) if not cell.is_sentinel], slo)
    fit = satisfying(found.contenders, found.others, _nominal(found.contenders[0], found.loads), slo)
    choice = of_race.choice(raced, [e.setting for e in fit.contenders]) if raced is not None else None
    choice = choice or _choice(found, fit.contenders, best, span_s)
    by_name = {e.setting.name: e for e in found.contenders}
    chosen = by_name[choice.chosen]
    ground = Ground(chosen, found.loads, span_s)
    loads = tuple(_under(found, chosen, load, best[load], slo, span_s) for load in found.loads)
    at = {one.load: one for one in loads}
    neighbours = _neighbours(ground, found, best, at, choice)
    if raced is not None:
        neighbours = of_race.as_raced(raced, run, neighbours)
    neighbours = _with_capacities(neighbours, found, chosen.setting, slo, _current(state.spec))
    largest = capacity_of(chosen, slo)
    near = _not_told_apart(neighbours, by_name)
    return Recommendation(
        setting=chosen.setting,
        cell_ids=tuple(
            one.cell.id
            for load in found.loads
            for one in (*chosen.by_load[load], *chosen.confirming.get(load, ()))
        ),
        slo=str(slo),
        engine=state.engine.label if state.engine is not None else None,
        worst_regret=choice.regret[choice.chosen],
        loads=loads,
        goodput_per_s=at[hardest(chosen, found.loads)].goodput_per_s,
        attainment=at[_nominal(chosen, found.loads)].attainment,
        capacity=largest,
        overload=above_capacity(chosen, found.loads, largest, slo),
        why=_why(choice, [_share(found, chosen, load, best[load]) for load in found.loads], len(near), fit),
        neighbours=neighbours,
        inseparable=near,
        doubts=(
            *found.doubts,
            *recommendation_doubts.of_choice(at[_nominal(chosen, found.loads)], loads, slo),
            *recommendation_doubts.of_classes(
                at[_nominal(chosen, found.loads)], fit.impossible, fit.elsewhere, nobody=fit.nobody
            ),
            *recommendation_doubts.of_cliff(loads),
            *recommendation_doubts.of_holes(neighbours, found.loads),
            *_doubts_of_run(state, found, chosen),
        ),
        env=chosen.setting.env(),
    )


def _doubts_of_run(state: RunState, found: Gathered, chosen: Evidence) -> list[str]:
    """What is in doubt of the engine, the machine and the probe."""
    every = [cell for e in found.contenders for cell in e.cells]
    fallback = state.engine.facts.why if state.engine is not None else None
    # Else the probe in force is of another run, or one of several.
    own_probe = state.like is None and not state.probes
    return [
        *([fallback] if fallback else []),
        *recommendation_doubts.of_run(every, chosen.cells),
        *(of_probe(every, state.probe) if own_probe else []),
    ]


def _span_s(probe: Probe | None, evidence: Sequence[Evidence]) -> float:
    """Bootstrap spans of two requests' lives at capacity, so that one draw holds whole excursions of the
    queue.

    Shorter where the shortest window would have fewer than ten: an interval that is a little too narrow
    says more than none.
    """
    lives_s = 2.0 * (probe.e2e_at_capacity_s if probe is not None else 0.5)
    shortest_s = min(one.trace.duration_s for e in evidence for of in e.by_load.values() for one in of)
    return min(max(0.5, lives_s), shortest_s / _SPANS)


def _choice(
    found: Gathered, contenders: Sequence[Evidence], best: Mapping[str, float], span_s: float
) -> Choice:
    by_name = {e.setting.name: e for e in contenders}
    means: Means = {
        name: {load: found.means[load][e.setting] for load in found.loads} for name, e in by_name.items()
    }
    smaller_first = [e.setting.name for e in sorted(contenders, key=lambda e: e.setting.smaller_first)]

    def separable(a: str, b: str) -> bool:
        gaps = (by_name[a].difference(by_name[b], load, span_s) for load in found.loads)
        return any(gap is not None and gap.above_zero for gap in gaps)

    return choose_by_means(means, best, smaller_first, separable)


def _under(
    found: Gathered, chosen: Evidence, load: str, best: float, slo: SLO, span_s: float
) -> LoadEvidence:
    """The chosen setting at a load. The best goodput is brought to the arrivals of the published one."""
    told = chosen.published(load)
    goodput = of_cells([one.trace for one in told], span_s)
    return LoadEvidence(
        load=load,
        rate_per_s=told[0].cell.rate_per_s,
        goodput_per_s=goodput,
        best_goodput_per_s=max(goodput.value, best + (goodput.value - found.means[load][chosen.setting])),
        attainment=attainment(told),
        stretches=len(told),
        confirmed=load in chosen.confirming,
        speed_margin=margin_of(told, slo, MOST_REPLAYED // len(found.loads)),
        classes=of_classes(told, slo),
    )


def _neighbours(
    ground: Ground, found: Gathered, best: Mapping[str, float], at: Mapping[str, LoadEvidence], choice: Choice
) -> tuple[Neighbour, ...]:
    made = []
    for other in (*found.contenders, *found.others):
        if other is ground.chosen:
            continue
        own = {load: of[other.setting] for load, of in found.means.items() if other.setting in of}
        regrets = [1.0 - own[load] / best[load] for load in found.loads if load in own and best[load] > 0]
        regret = choice.regret.get(other.setting.name, max((0.0, *regrets)))
        load = hardest(other, [name for name in found.loads if name in other.by_load] or list(other.by_load))
        made.append(neighbour(ground, other, _shift_per_s(ground, found, other, load, at), regret))
    return tuple(made)


def _not_told_apart(neighbours: Sequence[Neighbour], contenders: Container[str]) -> tuple[Setting, ...]:
    """Of those measured at every load, the ones that stand so: an answer counts them in one way only. The
    smaller first."""
    open_ = (Standing.EQUAL, Standing.CANT_TELL)
    near = [one.setting for one in neighbours if one.standing in open_ and one.name in contenders]
    return tuple(sorted(near, key=lambda setting: setting.smaller_first))


def _shift_per_s(
    ground: Ground, found: Gathered, other: Evidence, load: str, at: Mapping[str, LoadEvidence]
) -> float:
    """From another setting's own mean to what it would be on the arrivals of the published numbers."""
    if load not in at or other.setting not in found.means[load]:
        return 0.0
    plain = of_cells([one.trace for one in other.by_load[load]], ground.span_s).value
    to_all = found.means[load][other.setting] - plain
    return to_all + at[load].goodput_per_s.value - found.means[load][ground.chosen.setting]


def _with_capacities(
    neighbours: Sequence[Neighbour], found: Gathered, chosen: Setting, slo: SLO, current: Limits | None
) -> tuple[Neighbour, ...]:
    """With how much they take: those next to the chosen setting, and the current one."""
    by_setting = {e.setting: e for e in (*found.contenders, *found.others)}
    made = []
    for one in neighbours:
        is_current = holds(one.setting, current)
        wanted = is_current or is_next_to(one.setting, chosen)
        known = capacity_of(by_setting[one.setting], slo) if wanted else None
        made.append(replace(one, capacity=known, current=is_current))
    return tuple(made)


def _current(spec: Mapping[str, JsonValue]) -> Limits | None:
    """The limits that are in force today, as the spec has them; None where it does not say."""
    design = spec.get("design")
    stored = design.get("current") if isinstance(design, dict) else None
    try:
        return LiveSettings.model_validate(stored).limits() if stored else None
    except ValidationError:
        return None


def _nominal(evidence: Evidence, loads: Sequence[str]) -> str:
    return nominal_load({load: evidence.by_load[load][0].cell for load in loads})


def _share(found: Gathered, chosen: Evidence, load: str, best: float) -> tuple[str, float | None]:
    """A load, and the chosen setting's part of the best goodput there; None where nothing was good."""
    return load, found.means[load][chosen.setting] / best if best else None


def _why(choice: Choice, shares: Sequence[tuple[str, float | None]], near: int, fit: Satisfying) -> str:
    """Why this one, in sentences; `near`: how many others cannot be told from it."""
    if len(choice.regret) == 1 and not fit.left_out:
        return f"{choice.chosen} is the only setting that was measured at every load."
    first = [load for load, share in shares if share is not None and share >= 0.995]
    parts = [f"the best goodput at {_and(first)}"] if first else []
    parts += [
        f"{share:.0%} of the best at {load}" for load, share in shares if share is not None and share < 0.995
    ]
    parts += [f"nothing good at {load}, where no setting had" for load, share in shares if share is None]
    text = f"{choice.chosen} had {_and(parts)}."
    if choice.chosen != choice.winner:
        text += (
            f" {choice.winner} measured higher, but not by more than the noise, and admits more at once or "
            "queues longer."
        )
    elif near:
        text += f" This run cannot tell {near} other setting{'s' * (near > 1)} from it."
    return text + _left_out(fit)


def _left_out(fit: Satisfying) -> str:
    """Which settings a load class ruled out, in a sentence with a space before it."""
    if not fit.left_out:
        return ""
    classes = sorted({name for missed in fit.left_out.values() for name in missed})
    several = len(fit.left_out) > 1
    return (
        f" {len(fit.left_out)} setting{'s' * several} {'are' if several else 'is'} left out, since "
        f"{'they' if several else 'it'} surely miss{'es' * (not several)} the objective of {_and(classes)}."
    )


def _and(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
