"""A run → one self-contained HTML page: no request leaves the file."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadtests.bulk import no_collection
from reports import blocks, figures, labels, palette, provenance, stages, svg, tables
from reports.answer import answer
from reports.blocks import Block
from reports.cell_figures import stage_table
from reports.cells import CellPart
from reports.definitions import DEFINITIONS
from reports.each_cell import cell_parts
from reports.folder import text
from reports.prediction import prediction
from reports.run import Run

METRICS = ("ttft_s", "tpot_s", "e2e_s", "queue_s", "itl_s", "upstream_s", "send_lag_s")


def render(run: Run, processes: int = 1) -> str:
    """The whole report of a run as HTML text; its cells are drawn in so many processes."""
    # The cells are the most of it: with more processes they are drawn while this one does the rest.
    with no_collection(), cell_parts(run, processes) as drawn:
        page = _overview(run)
        cells = list(drawn)
    page |= {"cells": cells, "time_spent": _time_spent(cells)} | assets()
    return environment().get_template("template.html").render(page)


def _overview(run: Run) -> dict[str, Any]:
    """Everything of the page that is not about a single cell."""
    said = answer(run)
    counted = [m for m in METRICS if (run.latency["metric"] == m).any()]
    return {
        "run": run,
        "title": blocks.headline(run, said),
        "created": provenance.made(run),
        "status": text(run.info.get("status")),
        "model": provenance.model(run),
        "answer": said,
        "heat_maps": blocks.heat_maps(run),
        "hockey_stick": blocks.hockey_stick(run),
        "overview": tables.overview(run),
        "sentinels": tables.sentinels(run),
        "quantiles": [(labels.metric(m), tables.quantiles(run, m)) for m in counted],
        "predicted": prediction(run),
        "outcomes": blocks.outcomes(run),
        "outcome_table": tables.outcomes(run),
        "ledger": tables.ledger(run),
        "agreement": blocks.agreement(run),
        "agreement_table": tables.agreement(run),
        "provenance": provenance.rows(run),
        "command": provenance.command(run),
        "definitions": DEFINITIONS,
    }


def environment() -> Environment:
    """The templates, with every value escaped unless it is Markup."""
    return Environment(
        loader=PackageLoader("reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def assets() -> dict[str, Markup]:
    """The style sheet with the palette in front, and the script: our own files, so they need no escaping."""
    here = resources.files("reports")
    pairs = palette.variables().items()
    bright = "".join(f"--{name}:{pair[0]};" for name, pair in pairs)
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in pairs)
    css = f":root{{{bright}}}\n@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    css += f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
    css += here.joinpath("page.css").read_text(encoding="utf-8")
    return {"css": Markup(css), "js": Markup(here.joinpath("page.js").read_text(encoding="utf-8"))}


def _time_spent(cells: list[CellPart]) -> Block:
    """The p95 request of every cell, cut into stages."""
    rows = [c.slow[c.slow["quantile"] == 0.95].assign(name=c.name) for c in cells if len(c.slow)]
    empty = pd.DataFrame(columns=["name", "e2e_s", *stages.STAGES])
    frame = pd.concat(rows, ignore_index=True) if rows else empty
    alt = "The p95 request of each cell cut into stages from due time to last byte; numbers below."
    return Block(
        "time-spent",
        "Where the p95's time went",
        "Each bar is the mean of the served requests whose E2E is next to the p95; the stages add up to it.",
        svg.inline(figures.stages(frame), "time-spent", alt),
        stage_table(frame, "Cell"),
    )
