"""A stretch of recorded traffic as an arrival plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loadtests.latency import Column
from loadtests.planning import plan as plans
from loadtests.planning.columns import Columns
from loadtests.planning.header import Header
from loadtests.planning.mix import Mix, Sessions
from loadtests.planning.plan import Plan
from loadtests.planning.plan_bounds import check_window
from loadtests.planning.rate import RECORDED
from loadtests.planning.trace_files import sessions
from loadtests.planning.workloads import Counts
from loadtests.traffic.density import Density, Method, density
from loadtests.traffic.recorded import Recorded, class_of
from loadtests.traffic.segments import TrafficError

_AGAIN = 0.382
"""Of a stretch: so much later begin those of each further time through the recording, which are others so."""
_TEMPLATE_TOKENS = 16
"""Left free of an engine's context."""
SLOWEST, FASTEST = 1e-3, 1e3
"""Times the recorded rate."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part is played: of those that follow on each other the one with this number, from 0. Phases in
    seconds."""

    warm_up_s: float
    measure_s: float
    number: int = 0

    @property
    def length_s(self) -> float:
        return self.warm_up_s + self.measure_s


def plan(
    recorded: Recorded,
    factor: float,
    stretch: Stretch,
    seed: int,
    mix: Mix | None = None,
    context_tokens: int | None = None,
) -> Plan:
    """The plan that plays a stretch of the recording at `factor` times its rate.

    Where the recording ends, it goes on with its begin. A conversation that had begun before the stretch, or
    runs in two layers, is another one in each. mix: bounds on lengths, the retries of clients and their
    deadline. context_tokens: the longest that prompt and answer may be together. Lengths that are clipped are
    told in the notes.

    Raises:
        ValueError: in one sentence: a factor, a window or a seed that cannot be, or nothing comes then.
    """
    mix = mix or Mix()
    mix.check()
    check_window(stretch.warm_up_s, stretch.measure_s, seed)
    if not SLOWEST <= factor <= FASTEST:
        raise TrafficError(
            f"{factor:g} times the rate of {recorded.name}: must be {SLOWEST:g} to {FASTEST:g} times"
        )
    made = density(recorded, factor, stretch.length_s, seed)
    rows, due_s, copy = _rows(recorded, made, stretch)
    if not len(rows):
        raise TrafficError(f"{recorded.name}: no request comes within these {stretch.length_s:g} s")
    played = replace(recorded.take(rows), arrival_s=due_s, span_s=stretch.length_s)
    prompts, outputs, clipped = _within(played, mix, context_tokens)
    session, _ = sessions.split_where_shorter(_numbered(played.conversation, copy), prompts, outputs)
    header = Header(
        RECORDED, f"{RECORDED} {recorded.name}", seed, factor * recorded.rate_per_s, stretch.warm_up_s,
        stretch.measure_s, "open", len(rows), _params(recorded, made, stretch, mix),
        (*_notes(recorded, played, made), *clipped), played.classes(),
    )  # fmt: skip
    columns = Columns(
        due_s,
        [class_of(recorded.lanes[lane]) for lane in played.lane.tolist()],
        prompts,
        outputs,
        Sessions(session, sessions.turns(session), prompts),
        np.full(len(rows), -1, dtype=np.int64),
        leave_s=played.leave_s,
        prefixes=played.prefixes,
        causal=False,
    )
    return plans.assemble(header, columns, mix)


def _rows(recorded: Recorded, made: Density, stretch: Stretch) -> tuple[Counts, Column, Counts]:
    """Places in the recording, when each is due (s), and the number of the time and layer that it is played
    in; ascending in due times."""
    length_s, span_s = stretch.length_s * made.pace, recorded.span_s
    begin_s = stretch.number * length_s
    begin_s += int(begin_s / span_s) * _AGAIN * length_s
    parts: list[tuple[Counts, Column, Counts]] = []
    copies = 0
    for layer in made.layers:
        rows = np.flatnonzero(layer.rows)
        at_s = (begin_s + layer.shift_s) % span_s
        passed_s = -at_s
        while passed_s < length_s:
            due_s = recorded.arrival_s[rows] + passed_s
            inside = (due_s >= 0) & (due_s < length_s)
            if inside.any():
                here = rows[inside]
                parts.append((here, due_s[inside] / made.pace, np.full(len(here), copies)))
            copies += 1
            passed_s += span_s
    if not parts:
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    places, due_s, copy = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(due_s, kind="stable")
    return places[order], due_s[order], copy[order]


def _numbered(conversation: Counts, copy: Counts) -> Counts:
    """Sessions (n,) from 0 in order of appearance, others in each copy; -1 for none."""
    most = int(conversation.max(initial=0)) + 1
    own = np.where(conversation >= 0, copy * most + conversation, -1)
    _, first, of = np.unique(own, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    numbers = ranks[of]
    if (own < 0).any():
        none = numbers[np.flatnonzero(own < 0)[0]]
        numbers = np.where(own < 0, -1, numbers - (numbers > none))
    return np.asarray(numbers)


def _params(recorded: Recorded, made: Density, stretch: Stretch, mix: Mix) -> dict[str, int | float | str]:
    of_clients: dict[str, int | float | str] = {"retry": mix.retry, "deadline_s": mix.deadline_s}
    lengths = {"max_prompt_tokens": mix.max_prompt_tokens, "max_output_tokens": mix.max_output_tokens}
    how: dict[str, int | float | str] = {
        "factor": made.factor,
        "method": made.method.value,
        "stretch": stretch.number,
    }
    return {"recording": recorded.name, **how, **of_clients, **lengths}


def _within(played: Recorded, mix: Mix, context_tokens: int | None) -> tuple[Counts, Counts, list[str]]:
    """Prompts and answers (n,) no longer than they may be, and what was clipped, in words."""
    room = max(2, (context_tokens or 2**40) - _TEMPLATE_TOKENS)
    prompts = np.minimum(played.prompt_tokens, min(mix.max_prompt_tokens, room - 1))
    outputs = np.minimum(played.output_tokens, np.minimum(mix.max_output_tokens, room - prompts))
    sides = ("prompt", prompts < played.prompt_tokens), ("output", outputs < played.output_tokens)
    notes = [f"{short.mean():.1%} of the {side} lengths were clipped" for side, short in sides if short.any()]
    return prompts, outputs, notes


def _notes(recorded: Recorded, played: Recorded, made: Density) -> list[str]:
    notes = [*recorded.notes, f"{len(played)} of {len(recorded)} requests of {recorded.name}, {made.note}"]
    longest_s = played.span_s * (made.pace if made.method is Method.WARP else len(made.layers))
    if longest_s > 1.001 * recorded.span_s:
        notes.append(f"longer than the {recorded.span_s:.4g} s that were recorded: parts are played again")
    return notes
