"""A figure as the page shows it: the drawing, what it says in words, and the table behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from experiments.decide.capacity_text import takes
from reports import figures, numbers, svg, tables
from reports.answer import AnswerSection
from reports.frames import number
from reports.rows import BreakdownRow, rows_of
from reports.run import Run
from reports.tables import Table


@dataclass(frozen=True, slots=True)
class Block:
    """One figure of the page. `caption` may hold what to look for; `table` holds the numbers drawn."""

    name: str
    title: str
    caption: str
    drawing: Markup
    table: Table | None


def best(run: Run) -> str | None:
    """The recommended setting in words; None without a recommendation."""
    return run.naming.of(run.recommendation.setting) if run.recommendation is not None else None


def inseparable(run: Run) -> list[str]:
    """The settings that cannot be told from the recommended one, in words."""
    return [run.naming.of(one) for one in (run.recommendation.inseparable if run.recommendation else ())]


HEATS = {
    "goodput_per_s": "Goodput",
    "attainment": "Attainment",
    "ttft_p95_s": "TTFT p95",
    "e2e_p95_s": "E2E p95",
    "refused": "Refused",
}


def heat_maps(run: Run) -> list[Block]:
    """The matrix five times: goodput, attainment, TTFT p95, E2E p95, refused."""
    blocks = []
    chosen, near = best(run), inseparable(run)
    for what, name in HEATS.items():
        grid = figures.grid(run.naming.columns(run.matrix), run.latency, what)
        marks = ["orange frame: recommended"] if chosen else []
        marks += ["hatched corner: cannot be told from it"] if near else []
        marks += ["grey ×: invalid"] if not grid["valid"].all() else []
        marks += _repeats(grid, what)
        spans = ("value",) if what.endswith("_s") and what != "goodput_per_s" else ()
        heads = {
            "load": "Load",
            "max_active": "MAX_ACTIVE",
            "queue": "Queue",
            "value": figures.heat_map_title(what),
            "stretches": "Stretches",
        }
        drawing = figures.heat_map(grid, what, best=chosen, inseparable=near)
        alt = (
            f"{figures.heat_map_title(what)} over MAX_ACTIVE and queue setting, a panel per load; numbers "
            "in the table below."
        )
        blocks.append(
            Block(
                f"heat-{what}",
                name,
                f"{figures.heat_map_title(what)}. " + "; ".join(marks).capitalize() + ("." if marks else ""),
                svg.inline(drawing, f"heat-{what}", alt),
                tables.from_frame(grid, figures.heat_map_title(what), heads, spans),
            )
        )
    return blocks


def _repeats(grid: pd.DataFrame, what: str) -> list[str]:
    """How repeats of a cell are joined, and what it means that boxes have different numbers of them."""
    mean = figures.heat_map_joins(what) == "mean"
    if not len(grid) or grid["stretches"].max() == 1:
        return []
    if not figures.heat_map_is_unequal(grid):
        return [f"repeats: {'mean' if mean else 'worst'} shown"]
    joined = (
        "mean shown, brought to the same arrivals"
        if mean
        else "worst shown, and more of them find a worse one"
    )
    return [f"n: stretches, {joined}; dash: not measured there"]


def hockey_stick(run: Run) -> Block:
    """Goodput and p95 over the offered rate."""
    curves = figures.curves(run.naming.columns(run.matrix), run.latency)
    probe = run.state.probe if run.state is not None else None
    heads = {
        "setting": "Setting",
        "scenario": "Scenario",
        "offered_per_s": "Offered, 1/s",
        "goodput_per_s": "Goodput, 1/s",
        "ttft_s": "TTFT p95",
        "e2e_s": "E2E p95",
    }
    drawing = figures.hockey_stick(
        curves,
        run.slo,
        best=best(run),
        named=_named(run),
        capacity_per_s=number(probe.capacity_per_s if probe is not None else None),
        knee=_knee(run),
    )
    alt = (
        "Goodput, p95 TTFT and p95 E2E against the offered rate, a column per setting; numbers in the "
        "table below."
    )
    return Block(
        "hockey-stick",
        "Where it bends",
        _caption(run, curves),
        svg.inline(drawing, "hockey-stick", alt),
        tables.from_frame(curves, "Points of the curves", heads, ("ttft_s", "e2e_s")),
    )


def _named(run: Run) -> list[str]:
    """The settings to draw first: those that are hard to tell from the best, then its neighbours."""
    if run.recommendation is None:
        return []
    neighbours = [run.naming.of(one.setting) for one in run.recommendation.neighbours]
    return list(dict.fromkeys([*inseparable(run), *neighbours]))


def _knee(run: Run) -> figures.Knee:
    capacity = run.recommendation.capacity if run.recommendation is not None else None
    if capacity is None:
        return figures.UNKNOWN_KNEE
    return number(capacity.value_per_s), number(capacity.low_per_s), number(capacity.high_per_s)


def _caption(run: Run, curves: pd.DataFrame) -> str:
    """How to read the curves."""
    caption = (
        "A column per setting over the measured offered rate, all with the same axes; blue: the recommended "
        "one, thin in the columns of the others. Repeats of a load are taken together (of p95s the worst); "
        "bars are 95 % intervals. Left of the bend goodput follows the dotted line; right of it the gateway "
        "must refuse or the answers come late."
    )
    shown = figures.hockey_stick_columns(curves, best(run), _named(run))
    if further := curves["setting"].nunique() - len(shown):
        caption += f" {further} more settings are in the table only."
    capacity = run.recommendation.capacity if run.recommendation is not None else None
    if math.isfinite(_knee(run)[0]):
        caption += (
            " Green: the knee, its capacity under the SLO; shaded from the largest load whose attainment has "
            "its whole 95 % interval above the target to the smallest that has it below."
        )
    elif capacity is not None:
        caption += f" No knee is drawn. {takes(capacity)}"
    base = figures.base_scenario(curves)
    others = sorted(set(curves["scenario"]) - {base})
    if others:
        caption += f" Filled: {base}; hollow: {', '.join(others)}; lines between them guide the eye."
    if curves[["ttft_s", "e2e_s"]].isna().any(axis=None):
        caption += " A p95 with too few served requests behind it is left out."
    return caption


def time_spent(run: Run) -> Block:
    """The p95 request of every measured cell, taken apart."""
    p95 = run.breakdown[run.breakdown["quantile"] == "p95"]
    apart = {row.cell: row for row in rows_of(p95, BreakdownRow)}
    names = tables.cell_names(run.shown)
    bars = {names[cell]: apart.get(cell) for cell in run.cells["cell"] if cell in run.summaries}
    drawn = [name for name, row in bars.items() if row is not None]
    alt = (
        "The p95 request of each cell cut into send lag, gateway queue, network, engine queue, prefill and "
        "decode; numbers in the table below."
    )
    caption = (
        "Each bar is the mean of the served requests whose E2E is next to the p95; the parts add up to it. "
        "Engine queue and prefill are split by the engine's own mean times of the cell; where it tells none, "
        "all before the first token is one part."
    )
    if len(drawn) < len(bars):
        caption += (
            f" Not taken apart: {len(bars) - len(drawn)} of {len(bars)} cells, which served fewer than five "
            "requests or were measured without it."
        )
    ordered = p95.set_index("cell").loc[[row.cell for row in bars.values() if row is not None]].reset_index()
    return Block(
        "time-spent",
        "Where the p95's time went",
        caption,
        svg.inline(figures.breakdown(ordered, drawn), "time-spent", alt),
        tables.parts(bars, "Cell"),
    )


def outcomes(run: Run) -> Block:
    """Shares of outcomes, a bar per cell."""
    measured = set(run.outcomes["cell"])
    names = {cell: name for cell, name in tables.cell_names(run.shown).items() if cell in measured}
    alt = "Share of offered requests by outcome, one bar per cell; counts in the table below."
    return Block(
        "outcome-shares",
        "What became of the offered requests",
        "Every bar is all requests that were due in the measured window.",
        svg.inline(figures.outcomes(run.outcomes, names), "outcome-shares", alt),
        None,
    )


def agreement(run: Run) -> Block:
    """How far Prometheus is from the records."""
    alt = (
        "Prometheus quantiles relative to those of the records, with the histogram bucket's width; "
        "numbers in the table below."
    )
    differ = int((~run.agreement["agrees"].astype(bool)).sum()) if len(run.agreement) else 0
    caption = (
        f"{numbers.count(len(run.agreement))} pairs compared, {differ or 'none'} further apart than a "
        "histogram bucket."
    )
    return Block(
        "two-sources",
        "Two sources side by side",
        caption if len(run.agreement) else "This run holds no comparison with Prometheus.",
        svg.inline(figures.agreement(run.agreement), "two-sources", alt),
        None,
    )


def headline(run: Run, answer: AnswerSection) -> str:
    """The page's one-sentence summary, for the title attribute and search engines of wikis."""
    return f"{run.name}: {answer.words or 'no recommendation'} · {run.engine}"
