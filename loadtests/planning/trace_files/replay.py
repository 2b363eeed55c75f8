"""A trace as a plan: at another rate where asked, cut to the run, within the limits on lengths."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import numpy as np

from loadtests.planning import plan as plans
from loadtests.planning.columns import Columns
from loadtests.planning.header import Header
from loadtests.planning.mix import Mix, Sessions
from loadtests.planning.plan import Plan
from loadtests.planning.plan_bounds import check_window
from loadtests.planning.trace_files import sessions
from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.workloads import Counts

_SLOWEST_PER_S, _FASTEST_PER_S = 1e-9, 1e9


class TraceScale(StrEnum):
    """How another mean rate is reached. time: all times multiplied, which keeps the shape of bursts. thin:
    each request kept with a probability, which keeps the clock; it cannot make a trace denser."""

    TIME = "time"
    THIN = "thin"


def scaled(trace: Trace, rate_per_s: float, how: str, seed: int) -> Trace:
    """The trace at another mean rate (requests per second; 0 = as recorded).

    Raises:
        TraceError: the rate is no rate, or the trace cannot be brought to it.
    """
    if rate_per_s == 0:
        return trace
    if not _SLOWEST_PER_S <= rate_per_s <= _FASTEST_PER_S:
        raise TraceError(
            f"rate = {rate_per_s:g}: must be 0 (as recorded), or {_SLOWEST_PER_S:g} to {_FASTEST_PER_S:g} "
            "requests per second"
        )
    if trace.rate_per_s == 0:
        raise TraceError(
            f"rate = {rate_per_s:g}: {trace.name} has no span that could be scaled ({len(trace)} "
            f"{'arrival' if len(trace) == 1 else 'arrivals at one time'}); rate 0 plays it as recorded"
        )
    factor = rate_per_s / trace.rate_per_s
    if how == TraceScale.TIME:
        note = f"time scaled by {1 / factor:.4g} to {rate_per_s:g} requests/s"
        return replace(trace, arrival_s=trace.arrival_s / factor, notes=(*trace.notes, note))
    if factor > 1:
        raise TraceError(
            f"rate = {rate_per_s:g}: thinning cannot exceed the trace's {trace.rate_per_s:.4g} requests/s; "
            "scale by time"
        )
    keep = np.random.default_rng([seed, 7]).random(len(trace)) < factor
    note = f"thinned to {factor:.1%} for {rate_per_s:g} requests/s"
    return replace(trace.take(keep), notes=(*trace.notes, note))


def replay(
    trace: Trace,
    *,
    rate_per_s: float,
    warm_up_s: float,
    measure_s: float,
    seed: int,
    mix: Mix,
    scale: str = TraceScale.TIME,
) -> Plan:
    """A plan that replays the first warm_up_s + measure_s seconds of the scaled trace; clips
    lengths, and says so.

    Raises:
        ValueError: in one sentence, for a rate, a window, a seed or a mix that cannot be.
    """
    mix.check()
    check_window(warm_up_s, measure_s, seed)
    at_rate = scaled(trace, rate_per_s, scale, seed)
    cut = at_rate.take(at_rate.arrival_s < warm_up_s + measure_s)
    if not len(cut):
        raise TraceError(f"rate = {rate_per_s:g}: thinning {trace.name} leaves no request in the run")
    outputs, output_notes = _clipped("output", cut.output_tokens, mix.max_output_tokens)
    lengths = cut.prompt_tokens
    if cut.new_words_only:
        lengths = sessions.with_history(cut.session, lengths, outputs)
    prompts, prompt_notes = _clipped("prompt", lengths, mix.max_prompt_tokens)
    session, split = sessions.split_where_shorter(cut.session, prompts, outputs)
    notes = [*at_rate.notes, f"{len(cut)} of {len(trace)} requests of {trace.name}"]
    notes += [*prompt_notes, *output_notes]
    if split:
        notes.append(
            f"{split} prompts are no longer than what their session said before: they begin a new one"
        )
    header = Header(
        "trace", trace.name, seed, rate_per_s or trace.rate_per_s, warm_up_s, measure_s, "open", len(cut),
        {**mix.params(), "workload": trace.name}, tuple(notes),
    )  # fmt: skip
    grouped = Sessions(session, sessions.turns(session), prompts)
    columns = Columns(cut.arrival_s, cut.cls, prompts, outputs, grouped, cut.prefix_group)
    return plans.assemble(header, columns, mix)


def _clipped(side: str, lengths: Counts, limit: int) -> tuple[Counts, list[str]]:
    share = float(np.mean(lengths > limit)) if len(lengths) else 0.0
    notes = [f"{share:.1%} of the {side} lengths were clipped (limit {limit} tokens)"] if share else []
    return np.minimum(lengths, limit), notes
