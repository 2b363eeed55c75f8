"""The what-if of a page: a grid of predictions, looked up by the controls of `what_if.js`. No number of it is
worked out here or there: all are those of what_if.json."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from experiments.run_folder.what_if import WhatIf, WhatIfLoad, WhatIfPoint
from experiments.spec.setting import Setting
from experiments.spec.simulated_traces import SimulatedTraces
from gateway.limits import Limits, QueueMode, QueueOrder
from reports import labels, numbers
from reports.measured_points import MEASURES, MeasuredErrors, errors, expected, measured, usable_cells
from reports.run import Run

HELD_OUT = {
    "ttft_s_p50": "TTFT p50",
    "ttft_s_p95": "TTFT p95",
    "e2e_s_p50": "E2E p50",
    "e2e_s_p95": "E2E p95",
    "seconds_for_all_tokens": "time for all tokens",
}
_SHOW = {"percent": numbers.percent, "rate": numbers.rate, "s": numbers.seconds}


@dataclass(frozen=True, slots=True)
class PointValue:
    """A measure at one point: predicted in words and as a number, its interval, what was measured ("" where
    nothing was), and whether the target is met (None where there is none)."""

    text: str
    value: float | None
    interval: str
    measured: str
    meets: bool | None


@dataclass(frozen=True, slots=True)
class GridRate:
    """A rate in words, whether a cell of the run had it, its load as `predict` takes it, and its points, by
    MAX_ACTIVE, then by queue, each a value a measure."""

    words: str
    measured: bool
    load: str
    points: list[list[list[PointValue]]]


@dataclass(frozen=True, slots=True)
class GridKind:
    """The loads of one arrival process and workload, which is as `predict` takes it."""

    name: str
    workload: str
    rates: list[GridRate]


@dataclass(frozen=True, slots=True)
class GridChoice:
    """A value of an axis of settings: in words, and as flags of `predict`."""

    words: str
    flags: str


@dataclass(frozen=True, slots=True)
class GridPlace:
    """Where the controls stand: positions on each axis."""

    kind: int
    rate: int
    slots: int
    queue: int


@dataclass(frozen=True, slots=True)
class WhatIfGrid:
    """Everything that `what_if.js` reads. `command`: of `predict`, without setting and load."""

    command: str
    kinds: list[GridKind]
    slots: list[GridChoice]
    queues: list[GridChoice]
    start: GridPlace

    @property
    def document(self) -> str:
        """As JSON; what is not known is null."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class WhatIfSection:
    """`warnings` come first; `facts`: what the predictions rest on, and how wrong they were where they could
    be compared."""

    grid: WhatIfGrid
    measures: list[str]
    warnings: list[str]
    facts: list[tuple[str, str]]


def what_if_section(run: Run) -> WhatIfSection | None:
    """The section; None without a what_if.json, or where it is not a whole grid."""
    what_if = run.what_if
    if what_if is None or not what_if.loads:
        return None
    settings = [point.setting for point in what_if.loads[0].points]
    slots = sorted({setting.limits.max_active for setting in settings})
    queues = list(dict.fromkeys(_queue(setting) for setting in settings))
    whole = len(slots) * len(queues)
    if not whole or any(len(load.points) != whole for load in what_if.loads):
        return None
    grid = WhatIfGrid(
        command=_command(what_if),
        kinds=_kinds(run, what_if, len(queues)),
        slots=[GridChoice(str(n), f"--max-active {n}") for n in slots],
        queues=queues,
        start=_start(run, what_if, slots, queues),
    )
    return WhatIfSection(
        grid, [words for words, _ in MEASURES.values()], _warnings(what_if), _facts(run, what_if)
    )


def _kinds(run: Run, what_if: WhatIf, queues: int) -> list[GridKind]:
    of: dict[tuple[str, str], list[WhatIfLoad]] = {}
    for load in what_if.loads:
        of.setdefault((load.scenario, load.workload), []).append(load)
    return [
        GridKind(f"{scenario}, {workload} tokens", workload, [_rate(run, load, queues) for load in loads])
        for (scenario, workload), loads in of.items()
    ]


def _rate(run: Run, load: WhatIfLoad, queues: int) -> GridRate:
    points = [_values(run, point) for point in load.points]
    seen = any(usable_cells(run, point) for point in load.points)
    return GridRate(
        numbers.asked(load.rate_per_s),
        seen,
        load.load,
        [points[at : at + queues] for at in range(0, len(points), queues)],
    )


def _values(run: Run, point: WhatIfPoint) -> list[PointValue]:
    return [_value(run, point, measure, kind) for measure, (_, kind) in MEASURES.items()]


def _value(run: Run, point: WhatIfPoint, measure: str, kind: str) -> PointValue:
    found, target = expected(point, measure), run.slo.attainment
    meets = None
    if measure == "attainment" and target is not None and found.mean is not None:
        meets = found.mean >= target
    return PointValue(
        text=_SHOW[kind](found.mean),
        value=found.mean,
        interval=numbers.between(found.low, found.high, kind),
        measured=_measured(run, point, measure, kind),
        meets=meets,
    )


def _measured(run: Run, point: WhatIfPoint, measure: str, kind: str) -> str:
    """Of one cell its value, of several the least and the greatest."""
    seen = [measured(summary, measure) for summary in usable_cells(run, point)]
    known = [value for value in seen if math.isfinite(value)]
    if not known:
        return ""
    if len(known) == 1:
        return _SHOW[kind](known[0])
    return f"{numbers.between(min(known), max(known), kind)} ({len(known)} cells)"


def _queue(setting: Setting) -> GridChoice:
    """What becomes of a request that finds no free slot."""
    limits = setting.limits
    if limits.queue_mode is QueueMode.REJECT:
        flags = ["--queue-mode reject"]
    else:
        wait = f"--queue-timeout {limits.queue_timeout_s:g}"
        flags = [f"--queue-mode queue --queue-max {limits.queue_max} {wait}"]
    if limits.queue_order is not QueueOrder.FIFO:
        flags.append(f"--queue-order {limits.queue_order}")
    if limits.request_timeout_s != Limits().request_timeout_s:
        flags.append(f"--request-timeout {limits.request_timeout_s:g}")
    return GridChoice(labels.queue(setting), " ".join(flags))


def _command(what_if: WhatIf) -> str:
    traces, usual = what_if.traces, SimulatedTraces()
    words = ["python -m experiments.predict", f"--model {shlex.quote(what_if.calibration)}"]
    words.append(f"--slo {shlex.quote(what_if.slo)}")
    if traces.count != usual.count:
        words.append(f"--traces {traces.count}")
    if traces.measure_s != usual.measure_s:
        words.append(f"--seconds {traces.measure_s:g}")
    if traces.warm_up_s != usual.warm_up_s:
        words.append(f"--warm-up-s {traces.warm_up_s:g}")
    if traces.seed != usual.seed:
        words.append(f"--seed {traces.seed}")
    return " ".join(words)


def _start(run: Run, what_if: WhatIf, slots: Sequence[int], queues: Sequence[GridChoice]) -> GridPlace:
    """At the recommended setting, under the highest rate that was measured; else in the middle."""
    first = what_if.loads[0]
    of_kind = [
        load for load in what_if.loads if (load.scenario, load.workload) == (first.scenario, first.workload)
    ]
    seen = [at for at, load in enumerate(of_kind) if any(point.cells for point in load.points)]
    rate, at_slots, at_queue = seen[-1] if seen else len(of_kind) // 2, len(slots) // 2, 0
    if run.recommendation is not None:
        best = run.recommendation.setting
        if best.limits.max_active in slots:
            at_slots = slots.index(best.limits.max_active)
        if _queue(best) in queues:
            at_queue = queues.index(_queue(best))
    return GridPlace(0, rate, at_slots, at_queue)


def _warnings(what_if: WhatIf) -> list[str]:
    gate = what_if.model.gate
    warnings = [] if gate.passed else [f"Nobody has tried the model: {gate.why}."]
    if what_if.dropped:
        warnings.append(f"There was no time to predict {', '.join(what_if.dropped)}.")
    return warnings


def _facts(run: Run, what_if: WhatIf) -> list[tuple[str, str]]:
    traces = what_if.traces
    held_out = [
        f"{HELD_OUT[name]} {error * 100:+.1f} %"
        for name, error in what_if.held_out.items()
        if name in HELD_OUT
    ]
    facts = [
        ("Model", what_if.model.source),
        ("The model where it was not fitted, predicted / measured − 1", "; ".join(held_out)),
        ("The prediction in this run's cells", _in_this_run(run, what_if)),
        ("Each point", f"{traces.count} simulated traces of {numbers.seconds(traces.measure_s)}"),
    ]
    return [(name, value) for name, value in facts if value]


def _in_this_run(run: Run, what_if: WhatIf) -> str:
    found = errors(run, what_if)
    said = [
        f"{MEASURES[one.measure][0]}: off by {_off(one)}, {one.inside} of {one.n} in their range"
        for one in found
    ]
    return "; ".join(said) + (
        " (medians; shorter stretches scatter more than the simulated ones)" if said else ""
    )


def _off(one: MeasuredErrors) -> str:
    """Shares differ by points."""
    if one.measure == "attainment" and math.isfinite(one.median):
        return f"{one.median * 100:.1f} points"
    return numbers.percent(one.median)
