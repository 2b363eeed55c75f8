"""A live comparison as one page: the verdict, every metric, every block."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from experiments.decide.comparison_text import WORDS
from experiments.decide.live_verdict import LiveVerdict, PairedBlock, judge, read_blocks
from experiments.design.pair_order import Side
from experiments.errors import UserError
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.live_run import LiveRun, LiveWay, read_live
from experiments.run_folder.reading import objective_of, read_run
from experiments.stats.paired import Comparison, Verdict
from loadtests.slo import SLO
from reports import drawing, numbers
from reports.drawing import Axis, Figure, Line, Margins, Segments, Span
from reports.errors import NotARunError
from reports.known_cell import ENGINE_UNKNOWN
from reports.page import assets, environment
from reports.svg import inline
from reports.tables import Entry, Head, Table

WAYS = {
    LiveWay.IN_TURN: "each block started its own engine",
    LiveWay.AT_ONCE: "both engines were up all the time",
    LiveWay.ONE_ENGINE: "one engine, the gateway's limits switched between the blocks",
}
METRIC_HEADS = (
    Head("Metric", number=False),
    Head("A", "geometric mean over the blocks"),
    Head("B"),
    Head("Change", "B against A; below it its interval"),
    Head("Verdict", "of the chosen metric; the others are shown", number=False),
)
BLOCK_HEADS = (
    Head("Block", "one arrival trace, on both sides"),
    Head("First", "which side was measured first", number=False),
    Head("A"),
    Head("B"),
    Head("Change"),
    Head("Counts", number=False),
)


@dataclass(frozen=True, slots=True)
class LiveData:
    """What a folder of a live comparison holds, read once."""

    folder: Path
    run: LiveRun
    slo: SLO
    engines: tuple[str, str]
    emulated: tuple[bool, bool]
    verdict: LiveVerdict


def load(folder: Path) -> LiveData:
    """Read it.

    Raises:
        NotARunError: the folder holds no live comparison, or none that has begun.
    """
    try:
        run = read_live(folder)
        slo = objective_of(folder / Side.A)
        blocks = read_blocks(folder, run, slo)
        states = [read_run(folder / side).engine for side in Side]
    except UserError as error:
        raise NotARunError(str(error)) from None
    if not blocks:
        raise NotARunError(f"{folder} has no block that both sides have measured yet.")
    counted = sum(not block.invalid for block in blocks)
    looks = run.looks if counted in run.looks else (*run.looks, counted)
    labels = [ENGINE_UNKNOWN if state is None else state.label for state in states]
    emulated = [state is not None and state.provider == "emulator" for state in states]
    return LiveData(
        folder, run, slo, (labels[0], labels[1]), (emulated[0], emulated[1]), judge(run, blocks, looks)
    )


def page(data: LiveData) -> str:
    """The comparison as one self-contained page."""
    run, verdict = data.run, data.verdict
    emulated = [name for name, is_one in zip("AB", data.emulated, strict=True) if is_one]
    return (
        environment()
        .get_template("live.html")
        .render(
            run=run,
            engines=data.engines,
            emulated=" and ".join(emulated),
            said=verdict.said,
            metric=run.metric.label,
            way=WAYS[run.way],
            slo=str(data.slo),
            counted=len(verdict.counted),
            looks=", ".join(map(str, run.looks)) or "none yet",
            metrics=metrics_table(verdict),
            blocks=blocks_table(verdict),
            figure=_figure(verdict),
            command=shlex.join(run.command),
            **assets(),
        )
    )


def metrics_table(verdict: LiveVerdict) -> Table:
    """A row a metric, the one that decides first."""
    order = [verdict.by, *(metric for metric in BlockMetric if metric is not verdict.by)]
    return Table(
        "Every metric", list(METRIC_HEADS), [_metric_row(metric, verdict) for metric in order], "metrics"
    )


def blocks_table(verdict: LiveVerdict) -> Table:
    """A row a block, by the metric that decides."""
    caption = f"{verdict.by.label} of each block"
    return Table(caption, list(BLOCK_HEADS), [_block_row(b, verdict.by) for b in verdict.blocks], "blocks")


def changes_figure(verdict: LiveVerdict) -> Figure:
    """A dot a block at B / A − 1, coloured by who went first, and the interval of their mean."""
    shown = [(block, change) for block in verdict.counted if (change := _change(block, verdict.by))]
    if not shown:
        return drawing.message("There is no block with numbers on both sides.")
    figure = drawing.panels(8.6, 3.0, margins=Margins(left=0.95, right=0.2, bottom=0.5, top=0.15))
    (panel,) = figure.panels
    found = verdict.changes.get(verdict.by)
    panel.add(Span(0, 0, "muted", width=0.9, order=1, lying=True))
    for side, role in ((Side.A, "blue"), (Side.B, "sky")):
        mine = [(block.number, change) for block, change in shown if block.first is side]
        at = np.array([number for number, _ in mine], dtype=float)
        panel.add(Line(at, np.array([change for _, change in mine]), role, width=0, marker="o", size=4))
    if found is not None and found.relative_low is not None and found.relative_high is not None:
        end = float(max(block.number for block, _ in shown)) + 0.8
        x, low, high = np.array([end]), np.array([found.relative_low]), np.array([found.relative_high])
        panel.add(Segments(x, low, x, high, "ink", width=1.6))
    numbers_of = [block.number for block, _ in shown]
    panel.x = Axis(-0.6, max(numbers_of) + 1.4, label="block", ticks=numbers_of[:: len(numbers_of) // 12 + 1])
    panel.y.show, panel.y.label = drawing.change, f"{verdict.by.label}, B against A"
    return figure


def _figure(verdict: LiveVerdict) -> Markup:
    found = verdict.changes.get(verdict.by)
    alt = f"Change of the {verdict.by.label} from A to B in each of {len(verdict.counted)} blocks"
    if found is not None and found.relative_low is not None and found.relative_high is not None:
        alt += f"; interval {found.relative_low:+.1%} to {found.relative_high:+.1%}"
    return inline(changes_figure(verdict), "live-changes", alt)


def _metric_row(metric: BlockMetric, verdict: LiveVerdict) -> list[Entry]:
    found = verdict.changes.get(metric)
    if found is None:
        dashes = [Entry(numbers.DASH, None) for _ in range(3)]
        return [Entry(metric.label, metric.value), *dashes, Entry("too few served", "", "", "quiet")]
    judged = metric is verdict.by
    word = WORDS[found.verdict] if judged else "shown"
    return [
        Entry(metric.label, metric.value),
        Entry(_value(metric, found.baseline), found.baseline),
        Entry(_value(metric, found.baseline + found.difference), found.baseline + found.difference),
        _change_entry(found, metric, judged=judged),
        Entry(word, word, found.why if judged else "", "" if judged else "quiet"),
    ]


def _change_entry(found: Comparison, metric: BlockMetric, *, judged: bool) -> Entry:
    assert found.relative is not None, "every change has a value"
    small = "no interval"
    if found.relative_low is not None and found.relative_high is not None:
        small = f"{found.relative_low * 100:+.1f} to {found.relative_high * 100:+.1f} %"
    worse = found.verdict is Verdict.DIFFERENT and (found.difference > 0) != metric.more_is_better
    return Entry(f"{found.relative * 100:+.1f} %", found.relative, small, "bad" if judged and worse else "")


def _block_row(block: PairedBlock, metric: BlockMetric) -> list[Entry]:
    change = _change(block, metric)
    shown = numbers.DASH if change is None else f"{change * 100:+.1f} %"
    return [
        Entry(numbers.count(block.number), block.number),
        Entry(block.first.name, block.first.name),
        Entry(_value(metric, block.a[metric]), block.a[metric]),
        Entry(_value(metric, block.b[metric]), block.b[metric]),
        Entry(shown, change),
        Entry(f"no: {block.invalid}" if block.invalid else "yes", not block.invalid),
    ]


def _change(block: PairedBlock, metric: BlockMetric) -> float | None:
    a, b = block.a[metric], block.b[metric]
    return b / a - 1 if a and b else None


def _value(metric: BlockMetric, value: float | None) -> str:
    if metric is BlockMetric.GOODPUT:
        return numbers.rate(value)
    return numbers.percent(value) if metric is BlockMetric.ATTAINMENT else numbers.seconds(value)
