"""What a plan would send, as the page draws it before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.bounds import WrongValueError
from loadtests.planning.plan import Plan
from loadtests.settings import PlanSettings, Settings

MOST_REQUESTS = 200_000
"""Of a plan that the page draws: it is made on the process that serves the page, in about a second."""
MOST_TRACE_BYTES = 16 * 2**20
_BINS = 120


@dataclass(frozen=True, slots=True)
class PlannedLengths:
    """Tokens per request (median, p95, longest) and of the whole plan."""

    p50: int
    p95: int
    longest: int
    total: int


@dataclass(frozen=True, slots=True)
class PlannedClass:
    """A load class: how many requests it has, and how long they are, tokens."""

    name: str
    requests: int
    prompt: PlannedLengths
    output: PlannedLengths


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """A plan in numbers. requests: None in a closed loop, where the answers decide. longest_s: when the last
    request in flight is cut. planned_per_s: mean rate in each `bin_s` seconds from the start."""

    hash: str
    scenario: str
    requests: int | None
    measured: int | None
    warm_up_s: float
    duration_s: float
    longest_s: float
    bin_s: float
    planned_per_s: Sequence[float]
    mean_per_s: float | None
    peak_per_s: float | None
    prompt: PlannedLengths
    output: PlannedLengths
    users: int | None
    sessions: int
    notes: Sequence[str]
    classes: Sequence[PlannedClass] = ()


def preview(settings: Settings) -> PlanPreview:
    """The plan of these settings. Raises ValueError; WrongValueError where one setting is at fault."""
    _check_size(settings.plan)
    plan = settings.plan.make()
    closed = plan.header.loop == "closed"
    bin_s, planned = _rate(plan)
    return PlanPreview(
        hash=plan.hash,
        scenario=plan.header.scenario,
        requests=None if closed else len(plan),
        measured=None if closed else plan.offered("measure"),
        warm_up_s=plan.header.warm_up_s,
        duration_s=plan.duration_s,
        longest_s=plan.last_due_s + settings.drain_s,
        bin_s=bin_s,
        planned_per_s=[] if closed else planned,
        mean_per_s=None if closed else plan.offered("measure") / plan.header.measure_s,
        peak_per_s=None if closed else max(planned, default=0.0),
        prompt=_lengths([a.prompt_tokens for a in plan.arrivals]),
        output=_lengths([a.output_tokens for a in plan.arrivals]),
        users=int(plan.header.params["users"]) if closed else None,
        sessions=len({a.session for a in plan.arrivals if a.session >= 0}),
        notes=plan.header.notes,
        classes=[_class(one.name, plan) for one in plan.header.classes],
    )


def _class(name: str, plan: Plan) -> PlannedClass:
    own = [arrival for arrival in plan.arrivals if arrival.cls == name]
    prompt, output = (
        _lengths([getattr(a, side) for a in own]) for side in ("prompt_tokens", "output_tokens")
    )
    return PlannedClass(name, len(own), prompt, output)


def _check_size(asked: PlanSettings) -> None:
    """Refuse what would keep the page waiting: such a run is started from the command line."""
    if asked.scenario == "closed" or asked.plan_file or asked.recorded is not None:
        return
    if asked.scenario == "trace":
        if asked.trace_file and (size := _size(asked)) > MOST_TRACE_BYTES:
            reason = f"is {size / 2**20:.0f} MiB; the page plans at most {MOST_TRACE_BYTES // 2**20} MiB"
            raise WrongValueError("trace_file", reason, f"trace = {asked.trace_file!r}: {reason}")
        return
    expected = asked.rate_per_s * (asked.warm_up_s + asked.measure_s)
    if expected > MOST_REQUESTS:
        reason = f"is about {expected:,.0f} requests in all; the page plans at most {MOST_REQUESTS:,}"
        raise WrongValueError("rate_per_s", reason, f"rate_per_s = {asked.rate_per_s}: {reason}")


def _size(asked: PlanSettings) -> int:
    try:
        return asked.trace_path.stat().st_size
    except (OSError, ValueError):
        return 0  # the plan's own reading says what is wrong


def _rate(plan: Plan) -> tuple[float, list[float]]:
    """Length of a bin in seconds, and planned requests per second in each."""
    end_s = plan.last_due_s if plan.causal else plan.duration_s
    bins = max(1, min(_BINS, int(end_s)))
    counts, _ = np.histogram(plan.due_s, bins=bins, range=(0.0, end_s))
    bin_s = end_s / bins
    return bin_s, [round(float(count) / bin_s, 4) for count in counts]


def _lengths(tokens: Sequence[int]) -> PlannedLengths:
    if not tokens:
        return PlannedLengths(0, 0, 0, 0)
    p50, p95 = np.quantile(tokens, (0.5, 0.95), method="inverted_cdf")
    return PlannedLengths(int(p50), int(p95), max(tokens), sum(tokens))
