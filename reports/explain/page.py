"""The page: one self-contained file."""

from __future__ import annotations

import math

from reports import numbers, svg
from reports.explain import figures
from reports.explain.harm import METRICS, Moved
from reports.explain.judge import Judgement
from reports.explain.observed import Change, Observed
from reports.explain.signal import Signal
from reports.explain.written import amount
from reports.page import assets, environment
from reports.tables import Entry, Head, Table

_FAR = 5.0


def render(observed: Observed, said: Judgement, period: str, command: str) -> str:
    """As HTML text. period: what was asked about, in words; command: what was typed."""
    alt = (
        "Signals over the stretch with the band of what is usual; the numbers are in the table of everything "
        "that was looked at."
    )
    drawn = svg.inline(figures.over_time(observed, said.harm), "over-time", alt)
    return (
        environment()
        .get_template("explain/explain.html")
        .render(
            headline=said.headline,
            said=said,
            period=period,
            usual=observed.stretches.usual,
            count=len(observed.stretches.from_s) - 1,
            rows=None if observed.rows is None else numbers.count(observed.rows.rows),
            figure=drawn,
            stages=[
                (stage.name, numbers.seconds(stage.value_s), numbers.seconds(stage.usual_s))
                for stage in said.harm.stages
            ],
            moved=moved_table(said),
            signals=signal_table(observed, said),
            unseen=observed.unseen,
            command=command,
            **assets(),
        )
    )


def moved_table(said: Judgement) -> Table:
    """A row per lane and metric: median and p95, beside what is usual."""
    heads = [
        Head("Who", "a lane, or a session where there are none", number=False),
        Head("What", number=False),
        Head("p50"),
        Head("usually", "median over the comparable stretches"),
        Head("p95"),
        Head("usually", "median over the comparable stretches"),
    ]
    pairs: dict[tuple[str, str], dict[float, Moved]] = {}
    for one in said.harm.percentiles:
        pairs.setdefault((one.lane, one.metric), {})[one.rank] = one
    rows = [
        [
            Entry(lane or "all", lane),
            Entry(METRICS[metric], metric),
            *(entry for rank in (0.5, 0.95) for entry in _quantile(ranks.get(rank))),
        ]
        for (lane, metric), ranks in pairs.items()
    ]
    return Table("Percentiles of the whole stretch; what moved is marked", heads, rows, "moved")


def _quantile(one: Moved | None) -> list[Entry]:
    if one is None:
        return [Entry(numbers.DASH), Entry(numbers.DASH)]
    return [
        Entry(numbers.seconds(one.value_s), _exact(one.value_s), tone="bad" if one.moved else ""),
        Entry(numbers.seconds(one.usual_s), _exact(one.usual_s)),
    ]


def signal_table(observed: Observed, said: Judgement) -> Table:
    """Everything that was looked at, the largest change first."""
    heads = [
        Head("Signal", number=False),
        Head("While it was bad" if said.harm.any else "In the stretch", "mean of the shaded minutes"),
        Head("Usually", "median of as many minutes in a row"),
        Head("Times"),
        Head("Far", "the difference in standard deviations of comparable stretches"),
    ]
    changes = [(one, observed.change(one, said.harm.bad)) for one in Signal if observed.has(one)]
    changes.sort(key=lambda pair: -abs(pair[1].z) if math.isfinite(pair[1].z) else 0.0)
    rows = [_signal(signal, one) for signal, one in changes]
    return Table("Everything that was looked at", heads, rows, "signals")


def _signal(signal: Signal, one: Change) -> list[Entry]:
    far = math.isfinite(one.z) and abs(one.z) > _FAR
    return [
        Entry(signal.words, signal.words),
        Entry(amount(one.value, signal.unit), _exact(one.value), tone="bad" if far else ""),
        Entry(amount(one.usual, signal.unit), _exact(one.usual)),
        Entry(f"× {numbers.significant(one.ratio)}", one.ratio) if one.ratio > 0 else Entry(numbers.DASH),
        Entry(f"{one.z:+.1f}" if abs(one.z) < 1000 else "≫" if one.z > 0 else "≪", _exact(one.z)),
    ]


def _exact(value: float) -> float | None:
    return value if math.isfinite(value) else None
