"""Two runs compared, as `python -m experiments.compare` does it, for people: as Markdown and as a page.

It shows where the other one judges: two runs that are not the same experiment get a warning, no refusal.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from experiments.decide.comparison import Row, RunComparison, compare_runs
from experiments.decide.comparison_text import WORDS, headline, not_judged
from experiments.errors import UserError
from experiments.run_folder.run_state import RunState
from experiments.stats.paired import Comparison, Verdict
from reports import labels, numbers
from reports.errors import NotARunError
from reports.known_cell import ENGINE_UNKNOWN
from reports.page import assets, environment
from reports.tables import Entry, Head, Table

HEADS = (
    Head("Setting", "gateway slots · queue", number=False),
    Head("Load", number=False),
    Head("Blocks", "arrival traces that both runs measured"),
    Head("Goodput A", "served in SLO per second"),
    Head("Goodput B"),
    Head("Change", "of the goodput, B less A, as part of the larger one; below it its interval"),
    Head("Verdict", "below it how many more blocks would find a change of 5 %", number=False),
    Head("TTFT p95 A", "due time → first chunk with content; of the pooled served requests, not judged"),
    Head("TTFT p95 B"),
    Head("E2E p95 A", "due time → last byte; of the pooled served requests, not judged"),
    Head("E2E p95 B"),
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs, as the page names it."""

    name: str
    engine: str
    emulated: bool


def compare(a: Path, b: Path) -> RunComparison:
    """Run `b` against the baseline `a`, also where they are not the same experiment.

    Raises:
        NotARunError: one of them is no run of a sweep, or they share no valid cell.
    """
    for path in (a, b):
        if not path.is_dir():
            raise NotARunError(f"{path} is not a folder: give the folder of a run, such as runs/<name>.")
    try:
        return compare_runs(a, b, anyway=True)
    except UserError as error:
        raise NotARunError(str(error)) from None


def page(comparison: RunComparison) -> str:
    """The comparison as one self-contained page."""
    pairing = comparison.pairing
    sides = (_side(comparison.a.name, pairing.a), _side(comparison.b.name, pairing.b))
    return (
        environment()
        .get_template("compare.html")
        .render(
            sides=sides,
            headline=headline(comparison),
            slo=str(comparison.slo),
            overall=_change(comparison.overall),
            verdict=WORDS[comparison.overall.verdict],
            why=comparison.overall.why,
            judged=len(comparison.judged),
            not_judged=not_judged(comparison),
            warnings=[str(difference) for difference in pairing.what_matters],
            table=table(comparison),
            harmless=[str(difference) for difference in pairing.differences if not difference.matters],
            left_out=pairing.left_out,
            alone=pairing.alone,
            command=shlex.join(["python", "-m", "experiments.compare", str(comparison.a), str(comparison.b)]),
            **assets(),
        )
    )


def table(comparison: RunComparison) -> Table:
    """A row per pair of cells."""
    a, b = comparison.pairing.a, comparison.pairing.b
    caption = f"A {comparison.a.name}: {_engine(a)} · B {comparison.b.name}: {_engine(b)}"
    return Table(caption, list(HEADS), [_row(row) for row in comparison.rows], "compare")


def _row(row: Row) -> list[Entry]:
    name, goodput = labels.setting(row.pair.setting), row.goodput
    after = goodput.baseline + goodput.difference
    return [
        Entry(name, name),
        Entry(row.pair.load, row.pair.load),
        Entry(numbers.count(goodput.blocks), goodput.blocks),
        Entry(numbers.rate(goodput.baseline), goodput.baseline),
        Entry(numbers.rate(after), after),
        _change(goodput),
        _verdict(row),
        *(
            Entry(numbers.seconds(value), value)
            for metric in ("ttft_s", "e2e_s")
            for value in row.p95[metric]
        ),
    ]


def _change(one: Comparison) -> Entry:
    """The relative change, below it its interval; red where it fell, told apart from noise."""
    if one.relative is None:
        return Entry(numbers.DASH, None, "no goodput on either side")
    interval = "no interval"
    if one.relative_low is not None and one.relative_high is not None:
        interval = f"{one.relative_low * 100:+.1f} to {one.relative_high * 100:+.1f} %"
    fell = one.verdict is Verdict.DIFFERENT and one.difference < 0
    return Entry(f"{one.relative * 100:+.1f} %", one.relative, interval, "bad" if fell else "")


def _verdict(row: Row) -> Entry:
    one = row.goodput
    if not row.judged:
        return Entry("not judged", "not judged", one.why, "quiet")
    more = f"{one.further_blocks} more block{'s' if one.further_blocks > 1 else ''} would"
    tone = "quiet" if one.verdict is Verdict.CANT_TELL else ""
    return Entry(WORDS[one.verdict], str(one.verdict), more if one.further_blocks else "", tone)


def _side(name: str, state: RunState) -> Side:
    return Side(name, _engine(state), state.engine is not None and state.engine.provider == "emulator")


def _engine(state: RunState) -> str:
    return state.engine.label if state.engine is not None else ENGINE_UNKNOWN
