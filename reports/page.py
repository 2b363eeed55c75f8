"""A run → one self-contained HTML page: no request leaves the file."""

from __future__ import annotations

from importlib import resources

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import blocks, figures, labels, palette, provenance, stages, svg, tables
from reports.answer import answer
from reports.blocks import Block
from reports.cell_figures import stage_table
from reports.cells import CellPart, cell_part
from reports.definitions import DEFINITIONS
from reports.folder import rows as rows_of
from reports.folder import text
from reports.run import Run

METRICS = ("ttft_s", "tpot_s", "e2e_s", "queue_s", "itl_s", "upstream_s", "send_lag_s")


def render(run: Run) -> str:
    """The whole report of a run as HTML text."""
    said = answer(run)
    cells = _cells(run)
    counted = [m for m in METRICS if (run.latency["metric"] == m).any()]
    return environment().get_template("template.html").render(
        run=run,
        title=blocks.headline(run, said),
        created=provenance.made(run),
        status=text(run.info.get("status")),
        model=provenance.model(run),
        answer=said,
        heat_maps=blocks.heat_maps(run),
        hockey_stick=blocks.hockey_stick(run),
        overview=tables.overview(run),
        quantiles=[(labels.metric(m), tables.quantiles(run, m)) for m in counted],
        predicted=blocks.predicted(run),
        outcomes=blocks.outcomes(run),
        outcome_table=tables.outcomes(run),
        ledger=tables.ledger(run),
        agreement=blocks.agreement(run),
        agreement_table=tables.agreement(run),
        time_spent=_time_spent(cells),
        cells=cells,
        provenance=provenance.rows(run),
        command=provenance.command(run),
        definitions=DEFINITIONS,
        **assets(),
    )  # fmt: skip


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


def _cells(run: Run) -> list[CellPart]:
    chosen, names = blocks.best(run), tables.cell_names(run.cells)
    return [
        cell_part(run, row, names[row["cell"]], unfold=chosen is not None and labels.key(row) == chosen)
        for row in rows_of(run.cells)
    ]


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
