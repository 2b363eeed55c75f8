"""What is handed out: text for the terminal, JSON for programs, a page for people."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from experiments.observe.prometheus import ServerMetrics
from loadtests.traffic.segments import Span
from reports import numbers
from reports.explain import page, reading
from reports.explain.cause import Finding
from reports.explain.harm import METRICS, Moved
from reports.explain.judge import Judgement, judge
from reports.explain.observed import Observed
from reports.explain.signal import Signal
from reports.explain.written import amount

SCHEMA_VERSION = 1
_MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that was found about a stretch. command: what was typed, without secrets."""

    observed: Observed
    judgement: Judgement
    command: Sequence[str]

    @property
    def period(self) -> str:
        """In this machine's time."""
        return " to ".join(_local(at_s) for at_s in _ends(self.observed))


def of(
    folder: Path | None, metrics: ServerMetrics | None, asked: Span, now_s: float, command: Sequence[str]
) -> Explanation:
    """Read, compare and judge. Raises what `reading.read` does."""
    observed = reading.read(folder, metrics, asked, now_s)
    return Explanation(observed, judge(observed), command)


def write_page(found: Explanation, target: Path) -> None:
    """One self-contained file, under a temporary name first: nobody sees half of it."""
    text = page.render(found.observed, found.judgement, found.period, shlex.join(found.command))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def as_text(found: Explanation) -> str:
    """For a terminal."""
    said, stretches = found.judgement, found.observed.stretches
    lines = [
        said.headline,
        f"{found.period}, beside {stretches.usual} ({len(stretches.from_s) - 1} stretches)",
        "",
    ]
    for place, one in enumerate(said.causes, 1):
        lines.append(f"{place}. {_named(one)}  [{said.share(one):.0%} of what is explained]")
        lines += [f"     {text}" for text in one.evidence]
        lines.append(f"     → {one.cause.advice}")
    lines += [""] * bool(said.causes)
    lines += [f"at its bound: {one.words}" for one in said.bounds]
    if said.harm.any:
        lines += [f"{stage.name}: {numbers.seconds(stage.value_s)} (usually {numbers.seconds(stage.usual_s)})"
                  for stage in said.harm.stages]  # fmt: skip
        lines += [
            f"{signal.words}: {amount(one.value, signal.unit)}, usually {amount(one.usual, signal.unit)}"
            for signal, one in said.harm.worse
        ]
        lines += _percentiles(said.harm.percentiles)
    if said.without_effect:
        also = "; ".join(_named(one) for one in said.without_effect)
        lines.append(f"changed too, with little or no effect: {also}")
    lines += [f"not looked at: {words}" for words in found.observed.unseen]
    return "\n".join(lines)


def _percentiles(percentiles: Sequence[Moved]) -> list[str]:
    moved = sorted((one for one in percentiles if one.moved), key=lambda one: -one.z)
    return [
        f"p{one.rank * 100:.0f} of {METRICS[one.metric]}, {one.lane or 'all'}: "
        f"{numbers.seconds(one.value_s)}, usually {numbers.seconds(one.usual_s)}"
        for one in moved[:_MOST_ROWS]
    ]


def _named(one: Finding) -> str:
    return f"{one.cause.words}{f' ({one.who})' if one.who else ''}"


def as_json(found: Explanation) -> str:
    """Every number; null for what is not known."""
    said, observed = found.judgement, found.observed
    begin_s, end_s = _ends(observed)
    document = {
        "schema_version": SCHEMA_VERSION,
        "headline": said.headline,
        "from_unix_s": begin_s,
        "until_unix_s": end_s,
        "usual": {"what": observed.stretches.usual, "stretches": len(observed.stretches.from_s) - 1},
        "worse": said.harm.any,
        "causes": [_cause(one, said.share(one)) for one in said.causes],
        "bounds": [{"resource": one.name, "words": one.words} for one in said.bounds],
        "without_effect": [_cause(one, None) for one in said.without_effect],
        "stages": [
            {"stage": one.name, "mean_s": _known(one.value_s), "usual_s": _known(one.usual_s)}
            for one in said.harm.stages
        ],
        "percentiles": [
            {
                "lane": one.lane, "metric": one.metric, "rank": one.rank, "value_s": _known(one.value_s),
                "usual_s": _known(one.usual_s), "z": _known(one.z), "moved": one.moved,
            }
            for one in said.harm.percentiles
        ],
        "signals": {signal.value: _signal(found, signal) for signal in Signal if observed.has(signal)},
        "not_looked_at": list(observed.unseen),
    }  # fmt: skip
    return json.dumps(document, indent=2, ensure_ascii=False)


def _cause(one: Finding, share: float | None) -> dict[str, object]:
    return {
        "cause": one.cause.value,
        "words": one.cause.words,
        "who": one.who,
        "share": share,
        "weight": round(one.weight, 4),
        "certainty": round(one.certainty, 4),
        "evidence": list(one.evidence),
        "advice": one.cause.advice,
    }


def _signal(found: Explanation, signal: Signal) -> dict[str, float | None]:
    one = found.observed.change(signal, found.judgement.harm.bad)
    return {"value": _known(one.value), "usual": _known(one.usual), "z": _known(one.z)}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ends(observed: Observed) -> tuple[float, float]:
    return observed.stretches.asked.from_s, observed.stretches.asked.until_s


def _local(at_s: float) -> str:
    return datetime.fromtimestamp(at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
