"""How far each setting was measured, and why no further: a run need not hold every cell of its matrix."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.design.cell_purpose import CellPurpose
from experiments.run_folder.recommendation import Neighbour, Standing
from reports import numbers
from reports.run import Run
from reports.tables.entry import Entry, Head, Table

STANDING = {
    Standing.WORSE: ("surely worse", ""),
    Standing.PROBABLY_WORSE: ("probably worse", ""),
    Standing.EQUAL: ("as good within 3 %", "good"),
    Standing.CANT_TELL: ("cannot be told apart", "quiet"),
    Standing.NOT_COMPARED: ("not compared", "warn"),
}


def stretches(run: Run) -> Table:
    """A row per setting, a column per load; no rows where every setting was measured equally often."""
    own = run.naming.columns(run.of_settings)
    measured = own[own["offered"].notna()]
    matrix = measured[measured["purpose"] == CellPurpose.MATRIX]
    counted = matrix.groupby(["setting", "load"], sort=False).size().unstack("load").fillna(0)
    heads = [Head("Setting", "gateway slots · queue", number=False)]
    heads += [Head(str(load), "stretches measured to choose, each an arrival trace") for load in counted]
    heads += [
        Head("Confirmed", "stretches that took no part in the choice"),
        Head("Searched", "stretches at other rates, to find the largest that meets the objective"),
        Head("Against the recommended", "on the arrivals that both met", number=False),
    ]
    caption = f"Stretches of each setting · {run.engine}"
    if len(counted) == 0 or (len(set(counted.to_numpy().ravel())) == 1 and len(matrix) == len(measured)):
        return Table(caption, heads, [], "stretches")
    others = {
        purpose: measured[measured["purpose"] == purpose].groupby("setting").size()
        for purpose in (CellPurpose.VALIDATION, CellPurpose.CAPACITY)
    }
    standing = _standings(run)
    rows = [
        [
            Entry(str(setting), str(setting)),
            *(_count(value) for value in of),
            *(_count(by.get(setting, 0)) for by in others.values()),
            standing.get(str(setting), Entry(numbers.DASH)),
        ]
        for setting, of in zip(counted.index, counted.to_numpy(), strict=True)
    ]
    return Table(caption, heads, rows, "stretches")


def _standings(run: Run) -> Mapping[str, Entry]:
    recommended = run.recommendation
    if recommended is None:
        return {}
    chosen = Entry("recommended", "recommended", tone="good")
    found = {run.naming.of(one.setting): _standing(one) for one in recommended.neighbours}
    return {run.naming.of(recommended.setting): chosen, **found}


def _standing(one: Neighbour) -> Entry:
    """How it stands, below it why."""
    if one.standing is None:
        return Entry(one.why_not, one.why_not)
    text, tone = STANDING[one.standing]
    return Entry(text, text, one.why_not, tone)


def _count(value: float) -> Entry:
    return Entry(numbers.count(value) if value else numbers.DASH, float(value))
