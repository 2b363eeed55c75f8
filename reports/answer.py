"""The answer in words: what to set, what it gives, how sure, and what the neighbours do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from experiments.decide.beyond_text import above, on_a_slower_engine
from experiments.decide.capacity_text import in_short, takes
from experiments.decide.neighbours import count_of
from experiments.decide.recommendation_text import today
from experiments.decide.recommended_files import LANES_FILE
from experiments.run_folder.recommendation import ClassEvidence, LoadEvidence, Neighbour, Recommendation
from experiments.run_folder.run_state import RunStatus
from experiments.spec.setting import Setting
from reports import labels, numbers
from reports.frames import number
from reports.run import Run


@dataclass(frozen=True, slots=True)
class NeighbourLine:
    """A setting that was not chosen: its words, its goodput, why not, and how much it takes ("" unknown)."""

    setting: str
    goodput: str
    why_not: str
    takes: str = ""


@dataclass(frozen=True, slots=True)
class LoadLine:
    """The recommended setting under one load; `meets` is None where there is no target, `measured` False
    where the model predicted it only. `stretches` says what the numbers rest on, "" where that is not known.
    """

    load: str
    goodput: str
    interval: str
    attainment: str
    meets: bool | None
    measured: bool
    stretches: str = ""


@dataclass(frozen=True, slots=True)
class ClassAnswer:
    """One load class under the recommended setting, by its own objective: a line for each load."""

    name: str
    objective: str
    under: tuple[LoadLine, ...]


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """The head of the report. `known` is False when the run has no recommendation; `why` then says so.

    `under` has a line per measured load; `goodput_at` and `attainment_at` name the load of those two figures,
    "" where the recommendation does not tell. `verdict`: how the latter stands to the objective, "" without
    one. `classes`: a table for each load class, where there are several.
    """

    known: bool
    why: str
    words: str = ""
    goodput: str = numbers.DASH
    goodput_interval: str = ""
    goodput_value: float | None = None
    attainment: str = numbers.DASH
    attainment_value: float | None = None
    verdict: str = ""
    meets: bool | None = None
    margin: str = ""
    capacity: str = ""
    slower: str = ""
    under: tuple[LoadLine, ...] = ()
    classes: tuple[ClassAnswer, ...] = ()
    goodput_at: str = ""
    attainment_at: str = ""
    env: str = ""
    neighbours: tuple[NeighbourLine, ...] = ()
    inseparable: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def answer(run: Run) -> AnswerSection:
    """The recommendation of a run, or the plain statement that there is none."""
    recommended, target = run.recommendation, run.slo.attainment
    if recommended is None:
        return AnswerSection(known=False, why=_why_not(run))
    goodput, share = recommended.goodput_per_s, recommended.attainment
    met = _meets_at(recommended, target)
    return AnswerSection(
        known=True,
        why=recommended.why,
        words=run.naming.of(recommended.setting),
        goodput=numbers.rate(goodput.value),
        goodput_interval=numbers.between(goodput.low, goodput.high, "rate"),
        goodput_value=goodput.value,
        attainment=numbers.percent(share),
        attainment_value=share,
        verdict=_verdict(run, met),
        meets=met,
        margin=margin(run, recommended.setting),
        capacity=_capacity(recommended),
        slower=" ".join(on_a_slower_engine(recommended.loads)),
        under=under(run, recommended),
        classes=by_class(recommended),
        goodput_at=_the_one(
            [load_words(at) for at in recommended.loads if at.goodput_per_s.value == goodput.value]
        ),
        attainment_at=_the_one([load_words(at) for at in recommended.loads if at.attainment == share]),
        env="".join(f"{name}={_shell(value)}\n" for name, value in recommended.env.items())
        + _lanes(recommended.setting),
        neighbours=tuple(_neighbour(run.naming.of(one.setting), one) for one in recommended.neighbours),
        inseparable=tuple(run.naming.of(other) for other in recommended.inseparable),
        doubts=recommended.doubts,
    )


def _lanes(setting: Setting) -> str:
    """What is to be done with its lanes, as a comment; "" where they were not varied."""
    if setting.lanes is None:
        return ""
    return f"# lanes {setting.lanes.name}: {LANES_FILE}\n" if setting.lanes.lanes.shared else "# no lanes\n"


def _verdict(run: Run, met: bool | None) -> str:
    """How the published attainment stands to the objective; "" without one."""
    if met is None:
        return ""
    if run.slo.classes:
        return f"{'every' if met else 'not every'} load class meets its own objective"
    return f"{'meets' if met else 'misses'} the target of {numbers.percent(run.slo.attainment)}"


def _meets_at(recommended: Recommendation, target: float | None) -> bool | None:
    """Whether the objective is met at the load of the published attainment, by every load class its own."""
    share = recommended.attainment
    of_load = next((at for at in recommended.loads if at.attainment == share and at.classes), None)
    if of_load is not None:
        return all(one.met for one in of_load.classes)
    return None if target is None else share >= target


def by_class(recommended: Recommendation) -> tuple[ClassAnswer, ...]:
    """A table for each load class."""
    at_loads = sorted(recommended.loads, key=lambda at: (number(at.rate_per_s), at.load))
    objectives = {one.name: one.slo for at in at_loads for one in at.classes}
    return tuple(
        ClassAnswer(
            name,
            objective,
            tuple(_class_line(at, one) for at in at_loads for one in at.classes if one.name == name),
        )
        for name, objective in objectives.items()
    )


def _class_line(at: LoadEvidence, one: ClassEvidence) -> LoadLine:
    return LoadLine(
        load=load_words(at),
        goodput=numbers.rate(one.goodput_per_s),
        interval="",
        attainment=f"{numbers.percent(one.attainment)} of {numbers.count(one.offered)} "
        f"({numbers.between(one.attainment_low, one.attainment_high, 'percent')})",
        meets=one.met,
        measured=at.measured is not False,
    )


def _neighbour(name: str, one: Neighbour) -> NeighbourLine:
    goodput = numbers.rate(one.goodput_per_s.value)
    takes_ = "" if one.capacity is None else in_short(one.capacity)
    return NeighbourLine(name, goodput, one.why_not, takes_)


def _shell(value: str) -> str:
    """A value for a .env file: quoted unless it is plain."""
    plain = value and all(c.isascii() and (c.isalnum() or c in "._-:/") for c in value)
    return value if plain else "'" + value.replace("\n", " ").replace("'", "") + "'"


def _why_not(run: Run) -> str:
    status = run.state.status if run.state is not None else None
    if status in (RunStatus.RUNNING, RunStatus.PARTIAL):
        return (
            f"This run is {status}: there is no recommendation yet. What has been measured so far is below."
        )
    return (
        "This run holds no recommendation.json, so there is no recommended setting. What was measured is "
        "below."
    )


def margin(run: Run, setting: Setting) -> str:
    """Up to which tested load the setting met the SLO, a sentence per workload; empty without a target."""
    target = run.slo.attainment
    own = of_setting(run.matrix, setting)
    if target is None or run.slo.classes or not len(own):
        return ""
    sentences = [(str(name), _margin(at, target)) for name, at in own.groupby("workload", sort=False)]
    return " ".join(f"{name}: {sentence}" if name else sentence for name, sentence in sentences)


def _margin(own: pd.DataFrame, target: float) -> str:
    lowest = pooled_attainment(own).groupby("rate_per_s").min().sort_index()
    met, missed = lowest[lowest >= target], lowest[lowest < target]
    if not len(met):
        return f"It misses the target of {numbers.percent(target)} at every load: see the matrix."
    highest = float(met.index.max())
    up_to = f"It meets the SLO up to the load of {numbers.asked(highest)}"
    above = missed[missed.index > highest]
    if not len(above):
        return f"{up_to}, the highest with valid numbers: where it breaks was not reached."
    share = numbers.percent(float(above.iloc[0]))
    return f"{up_to}; under {numbers.asked(float(above.index[0]))} its attainment is {share}."


def pooled_attainment(cells: pd.DataFrame) -> pd.Series:
    """Served in SLO over offered, repeats of a load together; by rate_per_s and load."""
    good = (cells["attainment"] * cells["offered"]).groupby([cells["rate_per_s"], cells["load"]]).sum()
    return good / cells.groupby(["rate_per_s", "load"])["offered"].sum()


def under(run: Run, recommended: Recommendation) -> tuple[LoadLine, ...]:
    """The setting under each load: as the recommendation says, else from its cells (goodput: mean of repeats,
    attainment: of all their requests).
    """
    target = run.slo.attainment
    if recommended.loads:
        at_loads = sorted(recommended.loads, key=lambda at: (number(at.rate_per_s), at.load))
        return tuple(_line_of(at, target) for at in at_loads)
    own = of_setting(run.matrix, recommended.setting)
    return tuple(
        LoadLine(
            load=str(load),
            goodput=numbers.rate(at["goodput_per_s"].mean()),
            interval="",
            attainment=numbers.percent(share := float(pooled_attainment(at).iloc[0])),
            meets=_meets(share, target),
            measured=True,
        )
        for load, at in own.groupby("load", sort=False)
    )


def _line_of(at: LoadEvidence, target: float | None) -> LoadLine:
    goodput = at.goodput_per_s
    return LoadLine(
        load=load_words(at),
        goodput=numbers.rate(goodput.value),
        interval=numbers.between(goodput.low, goodput.high, "rate"),
        attainment=numbers.percent(at.attainment),
        meets=all(one.met for one in at.classes) if at.classes else _meets(at.attainment, target),
        measured=at.measured is not False,
        stretches=_stretches(at),
    )


def _stretches(at: LoadEvidence) -> str:
    """`2 stretches that took no part in the choice`."""
    if at.stretches is None:
        return ""
    return count_of(at.stretches) + (" that took no part in the choice" if at.confirmed else "")


def _meets(share: float, target: float | None) -> bool | None:
    return None if target is None or math.isnan(share) else share >= target


def _capacity(recommended: Recommendation) -> str:
    """How many requests a second the recommended setting takes, what happens above that, and how many today's
    takes; "" unknown."""
    if recommended.capacity is None:
        return ""
    said = (takes(recommended.capacity), above(recommended.overload), *today(recommended.neighbours))
    return " ".join(sentence for sentence in said if sentence)


def load_words(at: LoadEvidence) -> str:
    """`sustained@0.7x, 9/s`."""
    return at.load + ("" if at.rate_per_s is None else f", {numbers.asked(at.rate_per_s)}")


def _the_one(loads: list[str]) -> str:
    """The only load of these; "" where there is none, or more than one."""
    return loads[0] if len(loads) == 1 else ""


def of_setting(cells: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """The trusted cells that measured a setting."""
    usable = ~cells["validity"].isin(["invalid", "missing"])
    chosen: pd.DataFrame = cells[(cells["setting"] == labels.setting(setting)) & usable]
    return chosen
