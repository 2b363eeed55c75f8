"""Sessions whose requests follow answers: when each may be due, what it quotes, and how long its prompt is.

A session begins where the scenario has an arrival. Everything after its first request is due relative to
answers, which nobody knows when a plan is made: the plan says which answers and what pause, the sender (and
the twin) when that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.planning import draws
from loadtests.planning.arrival import Arrival, Role
from loadtests.planning.mix import Floats, Mix, cancellations
from loadtests.planning.session_shape import SessionShape, Step, draw_steps
from loadtests.planning.workloads import Counts, Workload

_SAMPLE = 1000
"""Sessions by which the mean number of requests is known where contexts cut them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plan's sessions: arrivals ascending in `due_s`, and what is to be known of them, in words."""

    arrivals: tuple[Arrival, ...]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _Session:
    steps: list[Step]
    prompt_tokens: list[int]
    output_tokens: list[int]
    cut: bool


def mean_requests(shape: SessionShape, workload: Workload, mix: Mix, seed: int) -> float:
    """Requests of a session, mean: the law's, or where the context may cut sessions that of a sample."""
    rng = draws.stream(seed, "session sizes")
    sample = [_session(shape, workload, mix, 0, rng) for _ in range(_SAMPLE)]
    if not any(one.cut for one in sample):
        return shape.requests
    return float(np.mean([len(one.steps) for one in sample]))


def sessions(
    starts_s: Floats, owner: Counts, names: Sequence[str], shape: SessionShape, workload: Workload, mix: Mix,
    phases: Sequence[str], seed: int,
) -> Drawn:  # fmt: skip
    """The requests of sessions that begin at `starts_s` (n,) seconds, ascending.

    Args:
        owner: which client class of the workload each session belongs to (n,), a place in `names`.
        phases: of each session (n,); it is that of all its requests.
    """
    rng = draws.stream(seed, "sessions")
    drawn = [_session(shape, workload, mix, k, rng) for k in owner.tolist()]
    rows: list[Arrival] = []
    for number, (start_s, one) in enumerate(zip(starts_s.tolist(), drawn, strict=True)):
        rows += _rows(one, number, start_s, phases[number], names[int(owner[number])], len(rows))
    cut = sum(one.cut for one in drawn)
    note = (
        f"{cut / max(1, len(drawn)):.1%} of the sessions were cut: {mix.max_prompt_tokens} tokens of prompt"
    )
    return Drawn(_in_order(_dressed(rows, mix, seed)), [note] if cut else [])


def _session(
    shape: SessionShape, workload: Workload, mix: Mix, owner: int, rng: np.random.Generator
) -> _Session:
    """One session, cut before the first request whose prompt would be too long for the context; that and all
    that follows it is left out."""
    steps = draw_steps(shape, rng)
    lengths = workload.clients[owner] if workload.clients else workload
    n = len(steps)
    first, _ = lengths.prompt.draw(n, rng, mix.max_prompt_tokens)
    added, _ = (shape.added or lengths.prompt).draw(n, rng, mix.max_prompt_tokens)
    outputs, _ = lengths.output.draw(n, rng, mix.max_output_tokens)
    prompts: list[int] = []
    for k, step in enumerate(steps):
        if step.quotes < 0:
            prompts.append(int(first[k]))
            continue
        whole = prompts[step.quotes] + int(outputs[step.quotes]) + int(added[k])
        if whole > mix.max_prompt_tokens:
            # Branches of the call that is cut have nothing to come back to.
            kept = k - shape.branches if step.role is Role.TOOL else k
            return _Session(steps[:kept], prompts[:kept], outputs[:kept].tolist(), cut=True)
        prompts.append(whole)
    return _Session(steps, prompts, outputs.tolist(), cut=False)


def _rows(
    one: _Session, number: int, start_s: float, phase: str, cls: str, first: int
) -> list[Arrival]:  # fmt: skip
    due_s: list[float] = []
    rows = []
    lengths = zip(one.prompt_tokens, one.output_tokens, strict=True)
    for k, (step, (prompt, output)) in enumerate(zip(one.steps, lengths, strict=True)):
        think_s = round(step.think_s, 6)
        due_s.append(max((due_s[j] for j in step.after), default=start_s) + think_s)
        rows.append(
            Arrival(
                i=first + k, due_s=round(due_s[k], 6), phase=phase, cls=cls, prompt_tokens=prompt,
                output_tokens=output, prompt_seed=0, session=number, turn=k, think_s=think_s,
                after=tuple(first + j for j in step.after),
                quotes=-1 if step.quotes < 0 else first + step.quotes, role=step.role.value,
            )
        )  # fmt: skip
    return rows


def _dressed(rows: Sequence[Arrival], mix: Mix, seed: int) -> list[Arrival]:
    """With words of their own, a shared prefix for each session, and clients that hang up."""
    n = len(rows)
    seeds = draws.stream(seed, "prompts").integers(0, 2**53, n).tolist()
    hang_up_s = np.round(cancellations(n, mix, draws.stream(seed, "cancel")), 6).tolist()
    groups = [-1] * n
    if mix.prefix_groups:
        sessions_n = 1 + max((row.session for row in rows), default=-1)
        of_session = draws.stream(seed, "groups").integers(0, mix.prefix_groups, sessions_n).tolist()
        groups = [of_session[row.session] for row in rows]
    return [
        row._replace(
            prompt_seed=seeds[k],
            cancel_after_s=hang_up_s[k],
            prefix_group=groups[k],
            prefix_tokens=min(mix.prefix_tokens, row.prompt_tokens) if groups[k] >= 0 else 0,
        )
        for k, row in enumerate(rows)
    ]


def _in_order(rows: Sequence[Arrival]) -> tuple[Arrival, ...]:
    return renumbered(sorted(rows, key=lambda row: row.due_s))


def renumbered(arrivals: Sequence[Arrival]) -> tuple[Arrival, ...]:
    """Numbered by their places, and what each follows and quotes by the new numbers. What it names must be
    among them, or before any of them lost its number: names of others are dropped."""
    place = {arrival.i: i for i, arrival in enumerate(arrivals)}
    return tuple(
        arrival._replace(
            i=i,
            after=tuple(place[j] for j in arrival.after if j in place),
            quotes=place.get(arrival.quotes, -1),
        )
        if arrival.after
        else arrival._replace(i=i)
        for i, arrival in enumerate(arrivals)
    )


def follows(arrivals: Sequence[Arrival]) -> bool:
    """Whether any of them awaits an answer."""
    return any(arrival.after for arrival in arrivals)


def whole_sessions(arrivals: Sequence[Arrival], from_s: float) -> list[Arrival]:
    """Those due from `from_s` seconds on, without what follows, however far, one that was due before."""
    left: list[Arrival] = []
    gone: set[int] = set()
    for arrival in arrivals:
        if arrival.due_s < from_s or not gone.isdisjoint(arrival.after):
            gone.add(arrival.i)
        else:
            left.append(arrival)
    return left
