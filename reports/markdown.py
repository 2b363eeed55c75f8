"""One run as Markdown, short enough for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from reports import tables
from reports.answer import answer
from reports.run import Run
from reports.tables import Table


def summary(run: Run) -> str:
    """The answer, its doubts, and the table of cells."""
    recommended = answer(run)
    lines = [f"### {plain(run.name)}", ""]
    if run.emulated:
        lines += ["> **EMULATOR**: no real engine made these numbers.", ""]
    lines += [f"Engine: {plain(run.engine)}", ""]
    if recommended.known:
        interval = f" ({recommended.goodput_interval}, 95 %)" if recommended.goodput_interval else ""
        verdict = f" ({recommended.verdict})" if recommended.verdict else ""
        lines += [plain(recommended.capacity), ""] if recommended.capacity else []
        lines += [plain(recommended.slower), ""] if recommended.slower else []
        lines += [f"**Recommended: {plain(recommended.words)}**", ""]
        lines += [f"- goodput {recommended.goodput}{interval}"]
        share = f"{recommended.attainment} of offered requests served in SLO{verdict}"
        lines += [f"- {share}, SLO {code(run.slo.text)}"]
        lines += [f"- {plain(recommended.margin)}"] if recommended.margin else []
        lines += [
            f"- {plain(one.name)} under {plain(at.load)}: {at.attainment}, "
            f"{'meets' if at.meets else 'misses'} {code(one.objective)}"
            for one in recommended.classes
            for at in one.under
        ]
        lines += [f"- doubt: {plain(doubt)}" for doubt in recommended.doubts]
    else:
        lines += [plain(recommended.why)]
    lines += [f"- note: {plain(problem)}" for problem in run.problems]
    return "\n".join([*lines, "", *table(tables.overview(run)), ""])


def table(given: Table) -> list[str]:
    """A table as the lines of a Markdown table; intervals follow in brackets."""
    if not given.rows:
        return []
    heads = [head.text for head in given.heads]
    rules = ["---:" if head.number else "---" for head in given.heads]
    rows = [[plain(e.text) + (f" ({plain(e.small)})" if e.small else "") for e in row] for row in given.rows]
    return [_line(heads), _line(rules), *(_line(row) for row in rows)]


def _line(entries: Sequence[str]) -> str:
    return "| " + " | ".join(entries) + " |"


def code(text: str) -> str:
    """Foreign text as one line of code."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def plain(text: str) -> str:
    """Foreign text as one line without Markdown or HTML of its own."""
    one = " ".join(text.split())
    for character in "\\`*_[]<>|#!":
        one = one.replace(
            character, "\\" + character if character not in "<>" else {"<": "&lt;", ">": "&gt;"}[character]
        )
    return one
