"""What was learned, in sentences that can be read aloud, and a table."""

from __future__ import annotations

from experiments.learning.advice import AdviceVerdict
from experiments.learning.told import ToldEffect, ToldLasting, ToldLearning, ToldLoad, ToldRange
from experiments.spec.durations import about

SHOWN = 8
"""Settings of the table."""


def said(told: ToldLearning) -> str:
    """The whole of it."""
    parts = [_what(told), _model(told)]
    for load in told.loads:
        parts += ["", _advice(told, load), *_table(told, load)]
    parts += ["", *(_lasting(one, told.growth or "") for one in told.lasting)] if told.lasting else []
    check = told.check
    parts += [
        "",
        f"To measure it: {len(check.settings)} settings ({', '.join(check.settings)}) on the same traffic "
        f"take about {about(check.engine_s)} of engine time:",
        f"  {check.command}",
    ]
    parts += [f"note: {note}" for note in (*told.notes, *told.held.missing)]
    return "\n".join(parts)


def _what(told: ToldLearning) -> str:
    held = told.held
    return (
        f"PREDICTED from recorded traffic, not measured: {held.requests:,} requests from {told.from_utc} to "
        f"{told.until_utc} ({held.hours:.3g} hours), objective {told.slo}."
    )


def _model(told: ToldLearning) -> str:
    held = told.held
    again = "; ".join(
        f"{name.split('_')[0].upper()} p95 {one.predicted:.3g} s where {one.measured:.3g} s were recorded"
        for name, one in told.played_again.items()
        if one.predicted is not None and one.measured is not None
    )
    return (
        f"The model of the engine is fitted to {held.windows} answers with {held.concurrency_low:.0f} to "
        f"{held.concurrency_high:.0f} sequences at once; {told.gate.why}. "
        f"Played again under today's setting: {again}."
    )


def _advice(told: ToldLearning, load: ToldLoad) -> str:
    advice = load.advice
    when = "On this traffic" if load.scale == 1 else f"At {load.scale:g} × the traffic"
    now = _effect(load, told.present)
    state = (
        f"{when} today's setting {told.present} serves {_per_cent(now.expected['attainment'])} of the "
        f"requests within the objective, with TTFT p95 {_range(now.expected['ttft_p95_s'])} s."
    )
    if advice.verdict is AdviceVerdict.KEEP:
        return f"{state} Keep it: {advice.why}."
    gain = f"{_signed(advice.gain.value)} goodput ({_signed(advice.gain.low)} to {_signed(advice.gain.high)})"
    if advice.verdict is AdviceVerdict.CHANGE:
        return f"{state} Change to {advice.chosen}: {gain}; {advice.why}."
    first = "" if advice.chosen == told.present else f" Worth a try: {advice.chosen}, {gain}."
    return f"{state} Not enough to tell which setting is best: {advice.why}.{first}"


def _table(told: ToldLearning, load: ToldLoad) -> list[str]:
    head = ("setting", "goodput/s", "within objective", "refused", "TTFT p95 s", "TPOT p95 ms", "E2E p95 s")
    shown = list(load.effects[:SHOWN])
    for name in (load.advice.chosen, told.present):
        if name not in {one.name for one in shown}:
            shown.append(_effect(load, name))
    rows = [head, *(_row(told, load, one) for one in shown)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(told: ToldLearning, load: ToldLoad, one: ToldEffect) -> tuple[str, ...]:
    marks = [" (now)"] if one.name == told.present else []
    marks += [" (chosen)"] if one.name == load.advice.chosen != told.present else []
    marks += [] if one.within_seen else [" (beyond what was seen)"]
    expected = one.expected
    return (
        one.name + "".join(marks),
        _range(expected["goodput_per_s"]),
        _per_cent(expected["attainment"]),
        _per_cent(expected["refused_ratio"]),
        _range(expected["ttft_p95_s"]),
        _range(expected["tpot_p95_s"], 1000),
        _range(expected["e2e_p95_s"]),
    )


def _lasting(one: ToldLasting, growth: str) -> str:
    if one.scale == 0:
        return f"{one.name} does not meet the objective even on today's traffic."
    if one.scale is None:
        return f"{one.name} meets the objective on every traffic that was played, at {growth} for years."
    until = f"until about {one.until} at {growth}"
    low = "today" if one.scale_low == 0 else one.until_low
    high = one.until_high or "later than can be said"
    return f"{one.name} lasts {until} (between {low} and {high}): up to {one.scale:.2f} × today's traffic."


def _effect(load: ToldLoad, name: str) -> ToldEffect:
    return next(one for one in load.effects if one.name == name)


def _range(one: ToldRange, times: float = 1.0) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "–"
    return f"{one.value * times:.3g} [{one.low * times:.3g}, {one.high * times:.3g}]"


def _per_cent(one: ToldRange) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "–"
    return f"{one.value:.1%} [{one.low:.0%}, {one.high:.0%}]"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.0%}"
