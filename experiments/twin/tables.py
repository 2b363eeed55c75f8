"""The tables that go into the compiled core and come back: arrays of records.

A row type is declared once, below; its layout follows from the annotations. Times are in seconds, sizes in
tokens or blocks. In a chain, a heap or a queue a request is its row's number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from experiments.twin.simulated import Arrival, Records, Sender
from experiments.twin.step_time import Law
from gateway.lane import NO_LANES, Lanes

Integers = npt.NDArray[np.int64]

CHAINS, QUEUES = 3, 5
"""Rows of the tables of chains and of queues."""


class Request(Protocol):
    """A request. In: `due_s` to `sibling`; out: `due_s` of a closed loop and of what follows answers, and
    `granted_s` to `outcome`; the rest is the core's own.
    """

    due_s: float
    think_s: float
    prompt_tokens: int
    output_tokens: int
    waits: int  # answers that it follows and that are not there yet
    child: int  # the first request that follows its answer
    sibling: int  # the next one that follows the same answers
    granted_s: float
    first_s: float
    last_s: float
    outcome: int
    answered_s: float
    ticket: int
    sequence: int
    context: int
    to_go: int
    joined: int
    blocks: int
    before: int  # neighbours in a chain
    after: int
    place: int  # in a heap


class Run(Protocol):
    """The one row of its table. In: `max_active` to `until_s`; out: `now_s` to `preemptions`; the rest is the
    core's own.
    """

    max_active: int
    reject: int
    queue_max: int
    queue_timeout_s: float
    newest_first: int
    request_timeout_s: float
    base_s: float
    per_decode_s: float
    per_token_s: float
    knee_tokens: float
    per_kv_token_s: float
    per_pair_s: float
    ingest_s: float
    egress_s: float
    arrival_work_s: float
    end_work_s: float
    max_num_seqs: int
    max_num_batched_tokens: int
    num_gpu_blocks: int
    block_size: int
    max_model_len: int
    users: int
    causal: int
    until_s: float
    now_s: float
    active_seconds: float
    queue_seconds: float
    queue_full_seconds: float
    peak_active: int
    peak_queue: int
    steps: int
    busy_s: float
    preemptions: int
    # The gateway.
    advanced_s: float
    active: int
    sent: int
    dealt: int
    free_users: int
    lead_s: float
    taken_s: float
    went_back: int
    inbox_head: int
    inbox_tail: int
    releases_head: int
    releases_tail: int
    deadlines_head: int
    deadlines_tail: int
    aborts: int
    # The engine.
    clock: int
    joins: int
    ends: int
    kv_context: int
    free_blocks: int
    prefilling: int
    completing: int
    decode: int
    prefill_tokens: int
    kv_tokens: int
    pairs: int
    count: int
    begin_s: float
    logged: int


class LoggedStep(Protocol):
    """What the clients could see of `count` equal steps that ended together with this one, at `end_s` of the
    engine: how many sequences had their next token in each, over how much context in the first of them; how
    many had their first, with the tokens of their prompts and half the squares of those; how many answers
    the last of the steps completed.
    """

    end_s: float
    count: int
    decoded: int
    context: int
    first: int
    prompt: int
    pairs: float
    ended: int


class Entry(Protocol):
    """A row of a heap: `item` is due at `at`, ties by `rank`."""

    at: float
    rank: int
    item: int


class Chain(Protocol):
    """Requests linked by `before` and `after`."""

    first: int
    last: int
    size: int


Row = TypeVar("Row", covariant=True)


class Table(Protocol[Row]):
    """An array of records as compiled code sees it: rows with attributes."""

    def __getitem__(self, index: int, /) -> Row: ...
    def __len__(self) -> int: ...


class Extras(NamedTuple):
    """What few simulations want. Code for the others is compiled without it.

    Attributes:
        law: of step times; None for that of `StepTime`.
        log: a row for each of the steps, written in order; None: not written.
    """

    law: Law | None
    log: Table[LoggedStep] | None


NOBODY_FOLLOWS = -1


class FollowGraph(NamedTuple):
    """Requests that follow answers of others, by their numbers; each of length n.

    children: those that follow each. waits: how many answers each follows. child, sibling: the same as
    chains: the first that follows each, and the next one behind it. one_chain: whether the chains say it all,
    which they do where all answers that a request follows are followed by the same requests.
    """

    children: Sequence[Sequence[int]]
    waits: Sequence[int]
    child: Sequence[int]
    sibling: Sequence[int]
    one_chain: bool

    @staticmethod
    def of(after: Sequence[Sequence[int]]) -> FollowGraph:
        """From what each follows."""
        children: list[list[int]] = [[] for _ in after]
        for i, answers in enumerate(after):
            for j in answers:
                children[j].append(i)
        sibling = [NOBODY_FOLLOWS] * len(after)
        for own in children:
            for one, following in pairwise(own):
                sibling[one] = following
        one_chain = all(
            children[j] == children[answers[0]] for answers in after if len(answers) > 1 for j in answers
        )
        child = [own[0] if own else NOBODY_FOLLOWS for own in children]
        return FollowGraph(children, [len(answers) for answers in after], child, sibling, one_chain)


class Offered:
    """A trace of arrivals, ascending in `due_s`, read once for any number of simulations.

    senders: of each arrival, or none; lanes: how they share the slots; budget: tokens that those who run may
    need together (each its prompt and its answer in whole blocks), None for what the limits say.
    """

    def __init__(
        self,
        arrivals: Sequence[Arrival],
        senders: Sequence[Sender] = (),
        lanes: Lanes = NO_LANES,
        budget: float | None = None,
    ) -> None:
        if senders and len(senders) != len(arrivals):
            raise ValueError(f"{len(senders)} senders for {len(arrivals)} arrivals")
        self.arrivals = arrivals
        self.senders = senders
        self.lanes = lanes
        self.budget = budget

    @property
    def shared(self) -> bool:
        """Whether the slots are more than alike: there are lanes, or a budget of tokens."""
        return self.lanes.shared or self.budget is not None

    def within(self, budget: float) -> Offered:
        """The same under a budget of tokens."""
        return Offered(self.arrivals, self.senders, self.lanes, budget)

    @cached_property
    def follow(self) -> FollowGraph | None:
        """Who follows whom; None where every request is due by itself."""
        if not any(arrival.after for arrival in self.arrivals):
            return None
        return FollowGraph.of([arrival.after for arrival in self.arrivals])

    def table(self) -> Records:
        """A new table of its requests, with all that goes in."""
        rows = zeros(Request, len(self.arrivals))
        for name, column in self._columns.items():
            rows[name] = column
        return rows

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[np.float64] | Integers]:
        n, follow = len(self.arrivals), self.follow
        return {
            "waits": np.zeros(n, np.int64) if follow is None else np.array(follow.waits, np.int64),
            "child": np.full(n, NOBODY_FOLLOWS) if follow is None else np.array(follow.child, np.int64),
            "sibling": np.full(n, NOBODY_FOLLOWS) if follow is None else np.array(follow.sibling, np.int64),
            "due_s": np.array([arrival.due_s for arrival in self.arrivals], float),
            "think_s": np.array([arrival.think_s for arrival in self.arrivals], float),
            "prompt_tokens": np.array([arrival.prompt_tokens for arrival in self.arrivals], np.int64),
            "output_tokens": np.array([arrival.output_tokens for arrival in self.arrivals], np.int64),
        }


def zeros(row: type, count: int) -> Records:
    """A table of `count` rows, all 0."""
    return np.zeros(count, _layout(row))


@cache
def _layout(row: type) -> np.dtype[np.void]:
    kinds = {int: np.int64, float: np.float64}
    return np.dtype([(name, kinds[kind]) for name, kind in get_type_hints(row).items()])
