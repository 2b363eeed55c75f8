"""The answer in words: what to set, what it gives, how sure, and what the neighbours do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import labels, numbers
from reports.folder import items, number, part, strings, text
from reports.folder import rows as rows_of
from reports.run import Run


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A setting that was not chosen: its words, its goodput, and why not."""

    setting: str
    goodput: str
    why_not: str


@dataclass(frozen=True, slots=True)
class Under:
    """The recommended setting under one load; `meets` is None where there is no target,
    `measured` False where the model foretold it only.
    """

    load: str
    goodput: str
    interval: str
    attainment: str
    meets: bool | None
    measured: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of the report. `known` is False when the run has no recommendation; `why` then says so.

    `under` has a row per measured load; `goodput_at` and `attainment_at` name the load of
    those two figures, "" where the recommendation does not tell.
    """

    known: bool
    settings: list[tuple[str, str]]
    words: str
    goodput: str
    goodput_interval: str
    goodput_value: float | None
    attainment: str
    attainment_value: float | None
    target: str
    meets: bool | None
    margin: str
    capacity: str
    under: list[Under]
    goodput_at: str
    attainment_at: str
    why: str
    env: str
    neighbours: list[Neighbour]
    inseparable: list[str]
    doubts: list[str]


def answer(run: Run) -> Answer:
    """The recommendation of a run, or the plain statement that there is none."""
    found = run.recommendation
    setting = part(found, "setting")
    goodput = number(found.get("goodput_per_s"))
    ends = part(found, "goodput_per_s")
    share = number(found.get("attainment"))
    target = run.slo.attainment
    env = {text(name): text(value) for name, value in part(found, "env").items()}
    return Answer(
        known=bool(setting),
        settings=_tiles(setting),
        words=labels.setting(setting) if setting else "",
        goodput=numbers.rate(goodput),
        goodput_interval=numbers.between(number(ends.get("low")), number(ends.get("high")), "rate"),
        goodput_value=None if math.isnan(goodput) else goodput,
        attainment=numbers.percent(share),
        attainment_value=None if math.isnan(share) else share,
        target="" if target is None else numbers.percent(target),
        meets=None if target is None or math.isnan(share) else share >= target,
        margin=margin(run, setting) if setting else "",
        capacity=capacity(run) if setting else "",
        under=under(run, setting) if setting else [],
        goodput_at=_load_with(found, "goodput_per_s"),
        attainment_at=_load_with(found, "attainment"),
        why=text(found.get("why")) if setting else _why_not(run),
        env="".join(f"{name}={_shell(value)}\n" for name, value in env.items()),
        neighbours=_neighbours(run),
        inseparable=[labels.setting(other) for other in items(found, "inseparable")],
        doubts=strings(found, "doubts"),
    )


def _tiles(setting: dict[str, Any]) -> list[tuple[str, str]]:
    """The values that matter: the queue's only where there is a queue, its order only where it is unusual."""
    shown = ["max_active", "queue_mode"]
    if setting.get("queue_mode") != "reject":
        shown += ["queue_max", "queue_timeout_s"]
        shown += ["queue_order"] if setting.get("queue_order") not in (None, "fifo") else []
    told = [(name.upper(), text(numbers.bare(setting[name]))) for name in shown if name in setting]
    # What is not the gateway's was given to the engine: a flag of its own, so it keeps its name.
    knobs = sorted(name for name in setting if name not in labels.SETTING_KEYS and setting[name] is not None)
    return told + [(text(name), text(numbers.bare(setting[name]))) for name in knobs]


def _shell(value: str) -> str:
    """A value for a .env file: quoted unless it is plain."""
    plain = value and all(c.isascii() and (c.isalnum() or c in "._-:/") for c in value)
    return value if plain else "'" + value.replace("\n", " ").replace("'", "") + "'"


def _why_not(run: Run) -> str:
    status = text(run.info.get("status"))
    if status in ("running", "partial"):
        return (
            f"This run is {status}: there is no recommendation yet. What has been measured so far is below."
        )
    return (
        "This run holds no recommendation.json, so there is no recommended setting. What was measured is "
        "below."
    )


def _neighbours(run: Run) -> list[Neighbour]:
    return [
        Neighbour(
            labels.setting(part(entry, "setting")),
            numbers.rate(number(entry.get("goodput_per_s"))),
            text(entry.get("why_not")),
        )
        for entry in items(run.recommendation, "neighbours")
    ]


def margin(run: Run, setting: dict[str, object]) -> str:
    """Up to which tested load the setting met the SLO, a sentence per workload; empty without a target."""
    target = run.slo.attainment
    own = of_setting(run.matrix, setting)
    if target is None or not len(own):
        return ""
    told = [(text(name), _margin(at, target)) for name, at in own.groupby("workload", sort=False)]
    return " ".join(f"{name}: {said}" if name else said for name, said in told)


def _margin(own: pd.DataFrame, target: float) -> str:
    lowest = pooled_attainment(own).groupby("rate_per_s").min().sort_index()
    met, missed = lowest[lowest >= target], lowest[lowest < target]
    if not len(met):
        return f"It misses the target of {numbers.percent(target)} at every load: see the matrix."
    highest = float(met.index.max())
    said = f"It meets the SLO up to the load of {numbers.asked(highest)}"
    above = missed[missed.index > highest]
    if not len(above):
        return f"{said}, the highest with valid numbers: where it breaks was not reached."
    share = numbers.percent(float(above.iloc[0]))
    return f"{said}; under {numbers.asked(float(above.index[0]))} its attainment is {share}."


def pooled_attainment(cells: pd.DataFrame) -> pd.Series:
    """Served in SLO over offered, repeats of a load together; by rate_per_s and load."""
    good = (cells["attainment"] * cells["offered"]).groupby([cells["rate_per_s"], cells["load"]]).sum()
    return good / cells.groupby(["rate_per_s", "load"])["offered"].sum()


def under(run: Run, setting: dict[str, object]) -> list[Under]:
    """A setting under each load: as the recommendation says, else from its cells (goodput: mean of repeats,
    attainment: of all their requests).
    """
    target = run.slo.attainment
    given = [entry for entry in items(run.recommendation, "loads") if "load" in entry]
    if given:
        told = sorted(given, key=lambda entry: (number(entry.get("rate_per_s")), text(entry.get("load"))))
        return [
            _under(_load(e), part(e, "goodput_per_s"), number(e.get("attainment")), target,
                   measured=e.get("measured") is not False)
            for e in told
        ]  # fmt: skip
    own = of_setting(run.matrix, setting)
    return [
        _under(str(load), {"value": at["goodput_per_s"].mean()}, float(pooled_attainment(at).iloc[0]), target)
        for load, at in own.groupby("load", sort=False)
    ]


def capacity(run: Run) -> str:
    """The largest rate at which the recommended setting meets the SLO, or why there is none; "" unknown."""
    found = part(run.recommendation, "capacity")
    value, why = number(found.get("value_per_s")), text(found.get("why"))
    return why if math.isnan(value) else f"about {numbers.rate(value)}{', ' + why if why else ''}"


def _under(
    load: str, goodput: dict[str, Any], share: float, target: float | None, *, measured: bool = True
) -> Under:
    meets = None if target is None or math.isnan(share) else share >= target
    interval = numbers.between(number(goodput.get("low")), number(goodput.get("high")), "rate")
    return Under(load, numbers.rate(number(goodput)), interval, numbers.percent(share), meets, measured)


def _load(entry: Mapping[str, Any]) -> str:
    rate = number(entry.get("rate_per_s"))
    return text(entry.get("load")) + ("" if math.isnan(rate) else f", {numbers.asked(rate)}")


def _load_with(recommendation: Mapping[str, Any], name: str) -> str:
    """The load whose value of `name` is the recommendation's own, when exactly one is."""
    value = number(recommendation.get(name))
    loads = [_load(e) for e in items(recommendation, "loads") if number(e.get(name)) == value]
    return loads[0] if len(loads) == 1 else ""


def of_setting(cells: pd.DataFrame, setting: dict[str, object]) -> pd.DataFrame:
    """The trusted cells that measured a setting."""
    wanted = labels.key(setting)
    mask = [labels.key(row) == wanted for row in rows_of(cells)]
    usable = ~cells["validity"].isin(["invalid", "missing"])
    chosen: pd.DataFrame = cells[pd.Series(mask, index=cells.index, dtype=bool) & usable]
    return chosen
