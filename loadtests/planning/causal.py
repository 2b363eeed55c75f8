"""Sessions whose requests follow answers: when each may be due, what it quotes, and how long its prompt is.

A session begins where the scenario has an arrival. Everything after its first request is due relative to
answers, which nobody knows when a plan is made: the plan says which answers and what pause, the sender (and
the twin) when that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    owner = np.zeros(_SAMPLE, dtype=np.int64)
    sample = _sessions(owner, shape, workload, mix, draws.stream(seed, "session sizes"))
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
    drawn = _sessions(owner, shape, workload, mix, draws.stream(seed, "sessions"))
    rows: list[_Row] = []
    for number, (start_s, one) in enumerate(zip(starts_s.tolist(), drawn, strict=True)):
        rows += _rows(one, number, start_s, len(rows))
    cls = [names[k] for k in owner.tolist()]
    cut = sum(one.cut for one in drawn)
    share = f"{cut / max(1, len(drawn)):.1%}"
    note = f"{share} of the sessions were cut short (limit {mix.max_prompt_tokens} tokens of prompt)"
    return Drawn(_arrivals(rows, cls, phases, mix, seed), [note] if cut else [])


def _sessions(
    owner: Counts, shape: SessionShape, workload: Workload, mix: Mix, rng: np.random.Generator
) -> list[_Session]:
    """A session for each of `owner` (n,), which client class of the workload it is of."""
    steps = [draw_steps(shape, rng) for _ in owner]
    of_step = np.repeat(owner, [len(own) for own in steps])
    (first, output), _ = draws.lengths(workload, mix, of_step, rng)
    added, _ = draws.lengths(workload, mix, of_step, rng)[0]
    if shape.added is not None:
        added, _ = shape.added.draw(len(of_step), rng, mix.max_prompt_tokens)
    columns = first.tolist(), added.tolist(), output.tolist()
    found, at = [], 0
    for own in steps:
        found.append(_session(own, shape.branches, mix, *(one[at : at + len(own)] for one in columns)))
        at += len(own)
    return found


def _session(
    steps: list[Step], branches: int, mix: Mix, first: list[int], added: list[int], output: list[int]
) -> _Session:
    """One session, cut before the first request whose prompt would be too long for the context; that and all
    that follows it is left out."""
    prompts: list[int] = []
    for k, step in enumerate(steps):
        if step.quotes < 0:
            prompts.append(first[k])
            continue
        whole = prompts[step.quotes] + output[step.quotes] + added[k]
        if whole > mix.max_prompt_tokens:
            # Branches of the call that is cut have nothing to come back to.
            kept = k - branches if step.role is Role.TOOL else k
            return _Session(steps[:kept], prompts[:kept], output[:kept], cut=True)
        prompts.append(whole)
    return _Session(steps, prompts, output, cut=False)


class _Row(NamedTuple):
    """A request before its place in the plan is known; others are named by their places in the rows."""

    due_s: float
    session: int
    turn: int
    prompt_tokens: int
    output_tokens: int
    think_s: float
    after: tuple[int, ...]
    quotes: int
    role: str


def _rows(one: _Session, number: int, start_s: float, first: int) -> list[_Row]:
    due_s: list[float] = []
    rows = []
    for k, step in enumerate(one.steps):
        think_s = round(step.think_s, 6)
        due_s.append(max((due_s[j] for j in step.after), default=start_s) + think_s)
        after = tuple(first + j for j in step.after)
        quotes = -1 if step.quotes < 0 else first + step.quotes
        lengths = one.prompt_tokens[k], one.output_tokens[k]
        rows.append(_Row(round(due_s[k], 6), number, k, *lengths, think_s, after, quotes, step.role.value))
    return rows


def _arrivals(
    rows: Sequence[_Row], cls: Sequence[str], phases: Sequence[str], mix: Mix, seed: int
) -> tuple[Arrival, ...]:
    """In order of their due times, with words of their own, a shared prefix for each session, and clients
    that hang up. `cls`, `phases`: of each session."""
    n = len(rows)
    order = sorted(range(n), key=lambda k: rows[k].due_s)
    place = [0] * n
    for i, k in enumerate(order):
        place[k] = i
    seeds = draws.stream(seed, "prompts").integers(0, 2**53, n).tolist()
    hang_up_s = np.round(cancellations(n, mix, draws.stream(seed, "cancel")), 6).tolist()
    groups = [-1] * len(cls)
    if mix.prefix_groups:
        groups = draws.stream(seed, "groups").integers(0, mix.prefix_groups, len(cls)).tolist()
    return tuple(
        Arrival(
            i, row.due_s, phases[row.session], cls[row.session], row.prompt_tokens, row.output_tokens,
            seeds[i], row.session, row.turn, groups[row.session],
            min(mix.prefix_tokens, row.prompt_tokens) if groups[row.session] >= 0 else 0,
            hang_up_s[i], row.think_s, tuple([place[j] for j in row.after]),
            place[row.quotes] if row.quotes >= 0 else -1, row.role,
        )
        for i, row in enumerate(rows[k] for k in order)
    )  # fmt: skip


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
