"""What the notebooks ask of a run, beside its figures (`reports.load(run).plot`): sentences and frames.

Whatever a run lacks becomes a sentence in place of the answer, so that a notebook goes on with what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from experiments.decide import comparison_text
from experiments.decide.capacity_text import takes
from experiments.decide.recommendation_text import show
from loadtests.slo import SLO
from reports import compare, drawing, figures, labels, numbers
from reports.answer import answer
from reports.drawing import Figure
from reports.errors import NotARunError
from reports.judged import judged
from reports.knees import knees
from reports.provenance import untold
from reports.rows import CellRow, rows_of
from reports.run import R, Run

HOW = (
    "A knee is seen where rates on both sides of it were measured. A sweep by default searches it for the\n"
    "setting that it recommends, headroom capacity for one setting; for all settings:\n"
    "headroom sweep --design grid "
    "--load sustained@0.4x,sustained@0.55x,sustained@0.7x,sustained@0.85x,sustained@1x,sustained@1.2x"
)


def head(run: Run) -> str:
    """The run's name, its folder's where that is another, the engine that made its numbers, its objective,
    how far it got, and what could not be read: a line each."""
    measured, planned = len(run.summaries), len(run.whole.planned)
    cells = f"{measured} cell{'s' * (measured != 1)}"
    if planned > measured:
        cells = f"{measured} of {planned} planned cells measured"
    status = run.state.status if run.state is not None else "no run.json"
    folder = "" if run.name == run.path.name else f" ({run.path.name})"
    lines = [f"{run.name}{folder}", run.engine, run.slo.text or "no objective", f"{cells}, {status}"]
    if run.emulated:
        lines.insert(1, "EMULATOR: no real engine made these numbers.")
    missing = [untold(run)] if untold(run) else []
    return "\n".join([*lines, *(f"note: {text}" for text in (*missing, *run.problems))])


def busiest(run: Run) -> str:
    """The id of the measured cell with the most offered requests a second; "" where none was measured."""
    measured = run.cells.dropna(subset="offered_per_s")
    return str(measured.sort_values("offered_per_s", kind="stable")["cell"].iloc[-1]) if len(measured) else ""


def recommendation(run: Run) -> str:
    """The recommendation as the sweep's terminal showed it, or why there is none."""
    if run.recommendation is None:
        return answer(run).why
    return show(run.recommendation, Path(run.path.name) / "recommended.env")


def again(run: R, times: float = 1.0) -> R:
    """The run judged by this version of Headroom, under an objective whose bounds are so many times as long;
    where that cannot be, as it is, with the reason among its problems (`head` shows them)."""
    try:
        return judged(run, _objective(run).scaled(times))
    except NotARunError as error:
        problems = (*run.problems, f"Not judged again: {error}")
        return replace(run, whole=replace(run.whole, problems=problems))


def objectives(run: Run, times: Sequence[float] = (0.5, 1.0, 2.0)) -> pd.DataFrame | str:
    """What would be recommended where every bound of the objective was so many times as long: a row each."""
    try:
        own = _objective(run)
        moved = [judged(run, own.scaled(factor)) for factor in times]
    except NotARunError as error:
        return str(error)
    return pd.DataFrame([_chosen(one) for one in moved])


def _objective(run: Run) -> SLO:
    if run.state is None or run.state.slo is None:
        raise NotARunError(f"{run.name} has no objective: it ended before it had one, or is no sweep.")
    return run.slo.slo


def _chosen(run: Run) -> dict[str, object]:
    found = run.recommendation
    if found is None:
        return {"objective": run.slo.text, "recommended": "none: " + (run.problems or ("unknown",))[-1]}
    return {
        "objective": run.slo.text,
        "recommended": run.naming.of(found.setting),
        "goodput, 1/s": numbers.significant(found.goodput_per_s.value),
        "attainment": numbers.percent(found.attainment),
        "not told apart": len(found.inseparable),
    }


def knee_table(run: Run) -> pd.DataFrame | str:
    """What each setting takes, with the ends of its 95 % interval, requests per second; `rates`: how many
    steady ones were measured."""
    try:
        found = knees(run)
    except NotARunError as error:
        return str(error)
    return pd.DataFrame(
        {
            "setting": [one.setting for one in found],
            "knee, 1/s": [numbers.significant(one.capacity.value_per_s) for one in found],
            "surely met": [numbers.significant(one.capacity.low_per_s) for one in found],
            "surely missed": [numbers.significant(one.capacity.high_per_s) for one in found],
            "rates": [len(one.points) for one in found],
        }
    ).set_index("setting")


def about_knees(run: Run) -> str:
    """What each setting takes, a sentence each, and how to measure a knee that does not lie among the rates
    that were measured."""
    try:
        found = knees(run)
    except NotARunError as error:
        return f"{error}\n{HOW}"
    lines = [takes(one.capacity, one.setting) for one in found]
    return "\n".join(lines if all(one.found for one in found) else [*lines, "", HOW])


def compared(a: Path, b: Path) -> str:
    """Run b against the baseline a, as `headroom compare` says it, without its table."""
    try:
        found = compare.compare(a, b)
    except NotARunError as error:
        return f"{error}. HEADROOM_BASELINE and HEADROOM_RUN name the two runs."
    overall = found.overall
    lines = [f"{found.b.name} compared with {found.a.name}: {comparison_text.headline(found)}"]
    lines += [
        f"judged under {found.slo}",
        f"over all {len(found.judged)} cells: {comparison_text.change(overall)}",
    ]
    lines += [f"not the same experiment: {difference}" for difference in found.pairing.what_matters]
    lines += [f"not judged: {text}" for text in comparison_text.not_judged(found)]
    return "\n".join(lines)


def pairs(a: Path, b: Path) -> pd.DataFrame | str:
    """A row per setting and load that both runs have."""
    try:
        found = compare.compare(a, b)
    except NotARunError as error:
        return str(error)
    return pd.DataFrame(
        {
            "setting": [labels.setting(row.pair.setting) for row in found.rows],
            "load": [row.pair.load for row in found.rows],
            "blocks": [row.goodput.blocks for row in found.rows],
            "goodput A, 1/s": [round(row.goodput.baseline, 3) for row in found.rows],
            "goodput B, 1/s": [round(row.goodput.baseline + row.goodput.difference, 3) for row in found.rows],
            "change": [comparison_text.change(row.goodput) for row in found.rows],
            "verdict": [comparison_text.verdict(row) for row in found.rows],
        }
    )


def changes(a: Path, b: Path) -> Figure:
    """The change of every pair with its interval, drawn."""
    try:
        return figures.changes(compare.compare(a, b))
    except NotARunError as error:
        return drawing.message(str(error), width_in=9.0)


def load_classes(run: Run) -> pd.DataFrame | str:
    """What each load class was served in every cell, by its own objective: a row each."""
    if not run.slo.classes:
        return f"{run.name} was judged by one objective: its load has no classes with their own."
    rows = [
        {
            "setting": cell.setting,
            "load": cell.load,
            "class": name,
            "objective": str(own),
            "offered": classes[name].counts.offered,
            "goodput, 1/s": numbers.significant(classes[name].rates.goodput_per_s),
            "attainment": numbers.percent(classes[name].attainment),
        }
        for cell in rows_of(run.naming.columns(run.of_settings), CellRow)
        for name, own in run.slo.classes
        if cell.cell in run.summaries and name in (classes := run.summaries[cell.cell].classes or {})
    ]
    return pd.DataFrame(rows)
