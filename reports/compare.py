"""Two runs side by side: cells paired by setting and load. It shows; it does not judge.

Whether two cells differ needs the paired comparison of `python -m experiments.compare`: intervals that
overlap or not prove nothing when both runs saw the same arrivals.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports import markdown as md
from reports import numbers
from reports.folder import part, text
from reports.page import assets, environment
from reports.pairs import Pairs, pair
from reports.run import Run
from reports.tables import Entry, Head, Table, seconds

SAID = (
    "Values with the 95 % interval of each single cell. Nothing here claims that two cells differ: the "
    "paired test does, on the same arrivals, with an exit code for CI."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, what makes them unequal experiments, the paired cells and what has no partner."""

    a: Run
    b: Run
    warnings: list[str]
    table: Table
    unpaired: list[str]


HEADS = (
    Head("Setting", "gateway slots · queue", number=False),
    Head("Load", number=False),
    Head("Goodput A", "served in SLO per second"),
    Head("Goodput B"),
    Head("B / A", "ratio of the goodputs"),
    Head("Attainment A", "served in SLO / offered"),
    Head("Attainment B"),
    Head("TTFT p95 A", "due time → first chunk with content"),
    Head("TTFT p95 B"),
    Head("E2E p95 A", "due time → last byte"),
    Head("E2E p95 B"),
)


def compare(a: Run, b: Run) -> Comparison:
    """Pair the cells of two runs (`pairs.pair`) and put them side by side."""
    found = pair(a, b)
    caption = f"A {a.name}: {a.engine} · B {b.name}: {b.engine}"
    rows = [_row(a, b, one, other) for one, other in found.pairs]
    alone = [f"only in A: {row['setting']}, {row['load']}" for row in found.only_a]
    alone += [f"only in B: {row['setting']}, {row['load']}" for row in found.only_b]
    return Comparison(a, b, _warnings(a, b, found), Table(caption, list(HEADS), rows, "compare"), alone)


def _warnings(a: Run, b: Run, found: Pairs) -> list[str]:
    """What would make a difference mean something else than the change under test."""
    said = []
    facts = (("engine", "engine", "label"), ("model", "engine", "model"), ("SLO", "slo", "text"))
    for name, section, key in facts:
        one, other = (text(part(run.info, section).get(key)) for run in (a, b))
        if one != other:
            said.append(f"The {name} differs: {one or 'unknown'} against {other or 'unknown'}.")
    pairs = found.pairs
    if found.alike_only:
        said.append(
            f"{found.alike_only} of {len(pairs)} pairs are alike, not equal: each run scaled its rates and "
            "queue timeouts by its own probe."
        )
    plans = sum(one["plan_hash"] != other["plan_hash"] for one, other in pairs)
    if plans:
        said.append(f"{plans} of {len(pairs)} pairs saw different arrivals (plan hash).")
    doubtful = sum("invalid" in (one["validity"], other["validity"]) for one, other in pairs)
    if doubtful:
        said.append(f"{doubtful} of {len(pairs)} pairs hold a cell stamped invalid.")
    if not pairs:
        said.append("No cell of one run has the setting and load of a cell of the other.")
    return said


def _row(a: Run, b: Run, one: dict[str, Any], other: dict[str, Any]) -> list[Entry]:
    ratio = other["goodput_per_s"] / one["goodput_per_s"] if one["goodput_per_s"] else float("nan")
    tails = [
        _p95(run.latency, row["cell"], metric)
        for metric in ("ttft_s", "e2e_s")
        for run, row in ((a, one), (b, other))
    ]
    return [
        Entry(one["setting"], one["setting"], _unlike(one, other, "setting")),
        Entry(one["load"], one["rate_per_s"], _unlike(one, other, "load")),
        *(
            Entry(
                numbers.rate(row["goodput_per_s"]),
                row["goodput_per_s"],
                numbers.between(row["goodput_low_per_s"], row["goodput_high_per_s"], "rate"),
            )
            for row in (one, other)
        ),
        Entry(numbers.significant(ratio), ratio),
        *(Entry(numbers.percent(row["attainment"]), row["attainment"]) for row in (one, other)),
        *tails,
    ]


def _unlike(one: dict[str, Any], other: dict[str, Any], name: str) -> str:
    return "" if one[name] == other[name] else f"B: {other[name]}"


def _p95(latency: pd.DataFrame, cell: str, metric: str) -> Entry:
    chosen = latency[
        (latency["cell"] == cell) & (latency["metric"] == metric) & (latency["quantile"] == "p95")
    ]
    if not len(chosen):
        return seconds(float("nan"))
    q = chosen.iloc[0]
    return seconds(float(q["value_s"]), float(q["low_s"]), float(q["high_s"]), str(q["why"]))


def paired_test(found: Comparison) -> str:
    """The command that judges these two runs."""
    return shlex.join(["python", "-m", "experiments.compare", str(found.a.path), str(found.b.path)])


def markdown(found: Comparison) -> str:
    """The comparison as Markdown."""
    a, b = found.a, found.b
    lines = ["### Headroom: two runs side by side", ""]
    if a.emulated or b.emulated:
        which = " and ".join(name for name, run in (("A", a), ("B", b)) if run.emulated)
        lines += [f"> **EMULATOR**: no real engine made the numbers of {which}.", ""]
    lines += [
        f"- A: {md.plain(a.name)}, {md.plain(a.engine)}",
        f"- B: {md.plain(b.name)}, {md.plain(b.engine)}",
    ]
    lines += [f"- **{md.plain(warning)}**" for warning in found.warnings]
    lines += ["", *md.table(found.table), ""]
    lines += [f"- {md.plain(line)}" for line in found.unpaired]
    return "\n".join([*lines, "", SAID, "", md.code(paired_test(found)), ""])


def page(found: Comparison) -> str:
    """The comparison as one self-contained page."""
    return (
        environment()
        .get_template("compare.html")
        .render(found=found, said=SAID, command=paired_test(found), **assets())
    )
