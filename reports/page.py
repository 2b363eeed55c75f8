"""A run → one self-contained HTML page: no request leaves the file."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadtests.bulk import no_collection
from loadtests.look import sheet
from reports import blocks, labels, provenance, tables
from reports.answer import answer
from reports.definitions import DEFINITIONS
from reports.each_cell import cell_sections
from reports.judging import judge_section
from reports.prediction import prediction_section
from reports.race import race_sections
from reports.run import Run
from reports.what_if import what_if_section

METRICS = ("ttft_s", "tpot_s", "e2e_s", "queue_s", "itl_s", "upstream_s", "send_lag_s")

# What of an objective can be moved in the page, its label, and the unit of its field.
CONTROLS = (
    ("ttft_s", "TTFT at most", "ms"),
    ("tpot_s", "TPOT at most", "ms"),
    ("e2e_s", "E2E at most", "s"),
    ("attainment", "Attainment at least", "%"),
)


def render(run: Run, processes: int = 1) -> str:
    """The whole report of a run as HTML text; its cells are drawn in so many processes."""
    # The cells are the most of it: with more processes they are drawn while this one does the rest.
    with no_collection(), cell_sections(run, processes) as drawn:
        page = _overview(run)
        cells = list(drawn)
    judge = judge_section(run, {cell.cell: cell.packed for cell in cells})
    scripts = {f"{name}_js": _script(f"{name}.js") for name in ("judging", "judge", "what_if")}
    parts = {"cells": cells, "judge": judge, "judge_controls": CONTROLS, **scripts}
    return environment().get_template("template.html").render(page | parts | assets())


def _overview(run: Run) -> dict[str, object]:
    """Everything of the page that is not about a single cell."""
    recommended = answer(run)
    counted = [m for m in METRICS if (run.latency["metric"] == m).any()]
    return {
        "run": run,
        "title": blocks.headline(run, recommended),
        "created": provenance.made(run),
        "status": run.state.status if run.state is not None else "",
        "model": provenance.model(run),
        "untold": provenance.untold(run),
        "without_metrics": provenance.without_metrics(run),
        "answer": recommended,
        "heat_maps": blocks.heat_maps(run),
        "hockey_stick": blocks.hockey_stick(run),
        "races": race_sections(run),
        "stretches": tables.stretches(run),
        "overview": tables.overview(run),
        "load_classes": [tables.load_classes(run, name) for name, _ in run.slo.classes],
        "tenants": tables.tenants(run),
        "sessions": tables.sessions(run),
        "sentinels": tables.sentinels(run),
        "quantiles": [(labels.metric(m), tables.quantiles(run, m)) for m in counted],
        "predicted": prediction_section(run),
        "what_if": what_if_section(run),
        "outcomes": blocks.outcomes(run),
        "outcome_table": tables.outcomes(run),
        "time_spent": blocks.time_spent(run),
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
    """The style sheet and the script: what all pages share, then the report's own."""
    css = sheet.style() + _own_file("page.css")
    return {"css": Markup(css), "js": Markup(sheet.theme_script()) + _script("page.js")}


def _script(name: str) -> Markup:
    # Our own file, so it needs no escaping.
    return Markup(_own_file(name))


def _own_file(name: str) -> str:
    return resources.files("reports").joinpath(name).read_text(encoding="utf-8")
