"""A figure as the page shows it: the drawing, what it says in words, and the table behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from experiments.decide.capacity_text import takes
from reports import figures, numbers, svg, tables
from reports.answer import AnswerSection
from reports.plots import Plots
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
    plot, cells = Plots(run), run.naming.columns(run.matrix)
    for what, name in HEATS.items():
        grid = figures.grid(cells, run.latency, what)
        in_part = figures.heat_map_in_part(grid)
        marks = ["orange frame: recommended"] if plot.best else []
        marks += ["hatched corner: cannot be told from it"] if plot.inseparable else []
        marks += ["grey ×: invalid"] if not grid["valid"].all() else []
        marks += ["1 of 3: one stretch of three counts, the others are invalid"] if in_part else []
        marks += _repeats(grid, what)
        spans = ("value",) if what.endswith("_s") and what != "goodput_per_s" else ()
        heads = {
            "load": "Load",
            "max_active": "MAX_ACTIVE",
            "queue": "Queue",
            "value": figures.heat_map_title(what),
            "stretches": "Stretches",
            "usable": "Counted",
        }
        alt = (
            f"{figures.heat_map_title(what)} over MAX_ACTIVE and queue setting, a panel per load; numbers "
            "in the table below."
        )
        blocks.append(
            Block(
                f"heat-{what}",
                name,
                f"{figures.heat_map_title(what)}. " + "; ".join(marks).capitalize() + ("." if marks else ""),
                svg.inline(plot.of_grid(grid, what), f"heat-{what}", alt),
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
    heads = {
        "setting": "Setting",
        "scenario": "Scenario",
        "offered_per_s": "Offered, 1/s",
        "goodput_per_s": "Goodput, 1/s",
        "ttft_s": "TTFT p95",
        "e2e_s": "E2E p95",
    }
    alt = (
        "Goodput, p95 TTFT and p95 E2E against the offered rate, a column per setting; numbers in the "
        "table below."
    )
    return Block(
        "hockey-stick",
        "Where it bends",
        _caption(run, curves),
        svg.inline(Plots(run).of_curves(curves), "hockey-stick", alt),
        tables.from_frame(curves, "Points of the curves", heads, ("ttft_s", "e2e_s")),
    )


def _caption(run: Run, curves: pd.DataFrame) -> str:
    """How to read the curves."""
    caption = (
        "A column per setting over the measured offered rate, all with the same axes; blue: the recommended "
        "one, thin in the columns of the others. Repeats of a load are taken together (of p95s the worst); "
        "bars are 95 % intervals. Left of the bend goodput follows the dotted line; right of it the gateway "
        "must refuse or the answers come late."
    )
    shown = figures.hockey_stick_columns(curves, Plots(run).best, Plots(run).named)
    if further := curves["setting"].nunique() - len(shown):
        caption += f" {further} more settings are in the table only."
    capacity = run.recommendation.capacity if run.recommendation is not None else None
    if math.isfinite(Plots(run).knee_per_s[0]):
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
    drawn = sum(row is not None for row in bars.values())
    alt = (
        "The p95 request of each cell cut into send lag, gateway queue, network, engine queue, prefill and "
        "decode; numbers in the table below."
    )
    caption = (
        "Each bar is the mean of the served requests whose E2E is next to the p95; the parts add up to it. "
        "Engine queue and prefill are split by the engine's own mean times of the cell; where it tells none, "
        "all before the first token is one part."
    )
    if drawn < len(bars):
        caption += (
            f" Not taken apart: {len(bars) - drawn} of {len(bars)} cells, which served fewer than five "
            "requests or were measured without it."
        )
    return Block(
        "time-spent",
        "Where the p95's time went",
        caption,
        svg.inline(Plots(run).time_spent(), "time-spent", alt),
        tables.parts(bars, "Cell"),
    )


def outcomes(run: Run) -> Block:
    """Shares of outcomes, a bar per cell."""
    alt = "Share of offered requests by outcome, one bar per cell; counts in the table below."
    return Block(
        "outcome-shares",
        "What became of the offered requests",
        "Every bar is all requests that were due in the measured window.",
        svg.inline(Plots(run).outcomes(), "outcome-shares", alt),
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
        svg.inline(Plots(run).agreement(), "two-sources", alt),
        None,
    )


def headline(run: Run, answer: AnswerSection) -> str:
    """The page's one-sentence summary, for the title attribute and search engines of wikis."""
    return f"{run.name}: {answer.words or 'no recommendation'} · {run.engine}"
