"""A figure as the page shows it: the drawing, what it says in words, and the table behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from reports import figures, labels, numbers, svg, tables
from reports.answer import Answer
from reports.folder import items, number, part, text
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


Key = tuple[str, ...]


def best(run: Run) -> Key | None:
    """The recommended setting's key; None without a recommendation."""
    setting = part(run.recommendation, "setting")
    return labels.key(setting) if setting else None


def inseparable(run: Run) -> list[Key]:
    """The keys of the settings that cannot be told from the recommended one."""
    return [labels.key(setting) for setting in items(run.recommendation, "inseparable")]


HEATS = {"goodput_per_s": "Goodput", "ttft_p95_s": "TTFT p95", "e2e_p95_s": "E2E p95", "refused": "Refused"}


def heat_maps(run: Run) -> list[Block]:
    """The matrix four times: goodput, TTFT p95, E2E p95, refused."""
    blocks = []
    chosen, near = best(run), inseparable(run)
    for what, name in HEATS.items():
        grid = figures.grid(run.matrix, run.latency, what)
        marks = ["orange frame: recommended"] if chosen else []
        marks += ["hatched corner: cannot be told from it"] if near else []
        marks += ["grey ×: invalid"] if not grid["valid"].all() else []
        repeats = grid["cells"].map(len).max() > 1 if len(grid) else False
        joined = "mean" if figures.heat_map_joins(what) == "mean" else "worst"
        marks += [f"repeats: {joined} shown"] if repeats else []
        spans = ("value",) if what.endswith("_s") and what != "goodput_per_s" else ()
        heads = {
            "load": "Load",
            "max_active": "MAX_ACTIVE",
            "queue": "Queue",
            "value": figures.heat_map_title(what),
        }
        drawing = figures.heat_map(grid, what, best=chosen, inseparable=near)
        alt = (
            f"{figures.heat_map_title(what)} over MAX_ACTIVE and queue setting, a panel per load; numbers "
            f"in the table below."
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


def hockey_stick(run: Run) -> Block:
    """Goodput and p95 over the offered rate."""
    curves = figures.curves(run.matrix, run.latency)
    near = [labels.key(part(n, "setting")) for n in items(run.recommendation, "neighbours")]
    capacity = number(part(run.info, "probe").get("capacity_per_s"))
    found = part(run.recommendation, "capacity")
    knee = (number(found.get("value_per_s")), number(found.get("low_per_s")), number(found.get("high_per_s")))
    named = list(dict.fromkeys([*inseparable(run), *near]))
    if best(run) is None:
        named = list(dict.fromkeys(curves["key"]))[:4]
    drawing = figures.hockey_stick(
        curves, run.slo, best=best(run), named=named, capacity_per_s=capacity, knee=knee
    )
    heads = {
        "setting": "Setting",
        "scenario": "Scenario",
        "offered_per_s": "Offered, 1/s",
        "goodput_per_s": "Goodput, 1/s",
        "ttft_s": "TTFT p95",
        "e2e_s": "E2E p95",
    }
    alt = (
        "Goodput, p95 TTFT and p95 E2E against the offered rate, one line per setting; numbers in the "
        "table below."
    )
    caption = (
        "One line per setting over the measured offered rate, repeats of a load taken together (of p95s the "
        "worst): bold with its 95 % band the recommended one, in colour its neighbours, grey the rest. Left "
        "of the bend goodput follows the dotted line; right of it the gateway must refuse or the answers "
        "come late."
    )
    if math.isfinite(knee[0]):
        caption += (
            " Green: the knee, its capacity under the SLO; shaded between a load that surely meets it and "
        )
        caption += "one that surely does not."
    elif found.get("why"):
        caption += f" No knee is drawn: {text(found.get('why'))}."
    base = figures.base_scenario(curves)
    others = sorted(set(curves["scenario"]) - {base})
    if others:
        caption += f" Filled: {base}; hollow: {', '.join(others)}; lines between them guide the eye."
    if curves[["ttft_s", "e2e_s"]].isna().any(axis=None):
        caption += " A p95 with too few served requests behind it is left out."
    return Block(
        "hockey-stick",
        "Where it bends",
        caption,
        svg.inline(drawing, "hockey-stick", alt),
        tables.from_frame(curves, "Points of the curves", heads, ("ttft_s", "e2e_s")),
    )


def outcomes(run: Run) -> Block:
    """Shares of outcomes, a bar per cell."""
    measured = set(run.outcomes["cell"])
    names = {cell: name for cell, name in tables.cell_names(run.cells).items() if cell in measured}
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
    said = (
        f"{numbers.count(len(run.agreement))} pairs compared, {differ or 'none'} further apart than a "
        f"histogram bucket."
    )
    return Block(
        "two-sources",
        "Two sources side by side",
        said if len(run.agreement) else "This run holds no comparison with Prometheus.",
        svg.inline(figures.agreement(run.agreement), "two-sources", alt),
        None,
    )


def headline(run: Run, said: Answer) -> str:
    """The page's one-sentence summary, for the title attribute and search engines of wikis."""
    return f"{run.name}: {said.words or 'no recommendation'} · {run.engine}"
