"""A page over all runs in a folder, newest first."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from experiments.run_folder.run_state import RunStatus
from reports import numbers
from reports.answer import answer
from reports.errors import NotARunError
from reports.page import assets, environment
from reports.provenance import made
from reports.run import Run, load
from reports.tables import Entry, Head, Table


def page(folder: Path, beside: Path) -> str:
    """All runs in `folder` as one self-contained page whose links are relative to `beside`."""
    runs, broken = [], []
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        try:
            runs.append(load(path))
        except NotARunError:
            broken.append(path.name)
    runs.sort(key=_created_utc, reverse=True)
    heads = [
        Head("Run", "", number=False),
        Head("Made", "UTC", number=False),
        Head("Engine", "what made the numbers", number=False),
        Head("Cells", "measured, of all"),
        Head("Recommended", "", number=False),
        Head("Goodput", "of the recommended setting, 95 % interval"),
        Head("Attainment", "served in SLO / offered"),
        Head("State", "", number=False),
    ]
    table = Table(f"{len(runs)} runs", heads, [_row(run, beside) for run in runs], "runs")
    return (
        environment()
        .get_template("index.html")
        .render(table=table, broken=broken, folder=folder.name, **assets())
    )


def _created_utc(run: Run) -> str:
    return run.state.created_utc if run.state is not None else ""


def _row(run: Run, beside: Path) -> list[Entry]:
    recommended = answer(run)
    report = run.path / "report.html"
    link = quote(Path(os.path.relpath(report, beside)).as_posix()) if report.exists() else ""
    measured = int((run.cells["validity"] != "missing").sum())
    status = str(run.state.status) if run.state is not None else "unknown"
    return [
        Entry(
            run.name,
            run.name,
            "" if link else f"no report yet: python -m reports {run.path.parent.name}/{run.path.name}",
            link=link,
        ),
        Entry(made(run) or numbers.DASH, _created_utc(run)),
        Entry(run.engine, run.engine, "", "warn" if run.emulated else ""),
        Entry(f"{measured} of {len(run.cells)}", measured),
        Entry(recommended.words or numbers.DASH, recommended.words),
        Entry(recommended.goodput, recommended.goodput_value, recommended.goodput_interval),
        Entry(recommended.attainment, recommended.attainment_value),
        Entry(
            status,
            status,
            run.problems[0] if run.problems else "",
            "" if status == RunStatus.COMPLETE else "warn",
        ),
    ]
