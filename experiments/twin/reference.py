"""The simulation as it is meant, in plain Python: a load plan through the gateway's own admission core and
the engine model. `core` is the same for speed; where the two differ, this one is right.

What is real: the admission core (`gateway.admission`, the code that runs in the gateway) and the
arrivals (a plan of `loadtests`). What is modelled: the engine (`scheduler`, `step_time`) and two
constant delays, from the grant of a slot to the engine's queue (`ingest_s`) and from the end of a step
to the chunk at the client (`egress_s`). Where the engine's API server shares a core with the engine,
what it does for a request makes steps longer: the one in which the request arrives (`arrival_work_s`)
and the one after its last token (`end_work_s`). A decoding batch that nothing can disturb is advanced in
one go up to the next event that could.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence as Sequential
from math import inf, isnan, nan

import numpy as np

from experiments.twin.profile import Profile
from experiments.twin.scheduler import Scheduler, Sequence, Step
from experiments.twin.simulated import NOBODY, OUTCOMES, Records, Simulated
from experiments.twin.tables import LoggedStep, Offered, zeros
from gateway.admission import Admission
from gateway.limits import Limits
from gateway.orders import ORDERS, Orders
from gateway.ticket import BYTES_PER_TOKEN, RequestFacts, State, Ticket


def play(
    offered: Offered,
    profile: Profile,
    limits: Limits,
    users: int,
    until_s: float,
    orders: Orders,
    *,
    logged: bool = False,
) -> Simulated:
    """`simulate`, whatever profile, orders and lanes are. Raises ValueError as it does."""
    return ReferenceRun(offered, profile, limits, users, until_s, orders, logged=logged).run()


_ALIVE = (State.RUNNING, State.WAITING)


class ReferenceRun:
    """One simulation; the three queues of events each come in order of time by themselves.

    What decides by itself when to send is a subclass: it says when something of its own is due
    (`next_arrival_s`), sends it then (`arrive`, with `send`), and is told of each end (`ended`).
    """

    def __init__(
        self,
        offered: Offered,
        profile: Profile,
        limits: Limits,
        users: int,
        until_s: float,
        orders: Orders = ORDERS,
        *,
        logged: bool = False,
    ) -> None:
        self.arrivals = arrivals = offered.arrivals
        self.senders = offered.senders
        self.timing = profile.step_time
        self.ingest_s = profile.ingest_s
        self.egress_s = profile.egress_s
        self.per_pair_s = profile.per_pair_s
        self.block_size = profile.block_size
        self.arrival_work_s = profile.arrival_work_s
        self.end_work_s = profile.end_work_s
        # From a grant to the first moment at which it can change a step.
        self.lead_s = 0.0 if profile.arrival_work_s else profile.ingest_s
        self.taken_s = 0.0  # work of the API server that the running, or the next, step has to wait for
        self.limits = limits
        self.until_s = until_s
        self.engine = Scheduler(profile.limits)
        self.admission = Admission(limits, orders=orders, lanes=offered.lanes)
        self.shared = offered.shared
        self.admission.limit_tokens(offered.budget, 0.0)
        count = len(arrivals)
        self.due_s = [arrival.due_s for arrival in arrivals]
        self.granted_s, self.first_s, self.last_s = [nan] * count, [nan] * count, [nan] * count
        self.outcome = ["not_sent"] * count
        self.sent = 0  # arrivals given out so far
        # Heap of a closed loop, and of requests that follow answers: when the next is sent, and which.
        self.users = [(0.0, index) for index in range(min(users, count))]
        self.dealt = len(self.users)  # arrivals that a user has got
        self.closed = users > 0
        self.follow = None if users else offered.follow
        if self.follow is not None:  # what follows nothing is due by itself
            self.waits = list(self.follow.waits)
            begins = (index for index, waits in enumerate(self.waits) if not waits)
            self.users = [(arrivals[index].due_s, index) for index in begins]
        self.inbox: deque[tuple[float, Ticket, Sequence]] = deque()  # granted, on the way to the engine
        self.releases: deque[tuple[float, Ticket]] = deque()  # answered, on the way to the gateway
        self.deadlines: deque[tuple[float, Ticket]] = deque()
        self.in_engine: dict[Ticket, Sequence] = {}  # those that hold a slot and have reached the engine
        self.aborts: list[Sequence] = []
        self.peak_active = self.peak_queue = 0
        self.steps = 0
        self.busy_s = 0.0
        self.step_log: list[tuple[float, int, int, int, int, int, float, int]] | None = [] if logged else None

    def run(self) -> Simulated:
        """Play all events, then hand out the columns."""
        step: Step | None = None
        count, step_end_s, now_s = 1, inf, 0.0
        while True:
            event_s = self._next_s()
            if event_s <= step_end_s and event_s < inf:
                now_s = event_s
                self._play(now_s)
                if step is not None:
                    step_end_s += self._take()
                    continue
                self.taken_s = 0.0  # nothing is delayed: that work is a part of `ingest_s`
                if self._next_s() <= now_s:
                    continue
            elif step is not None:
                now_s = step_end_s
                self._finish(step, count, now_s)
            else:
                break
            step = self.engine.begin()
            if step is None:
                step_end_s, self.taken_s = inf, 0.0
            else:
                begin_s = now_s + self._take()
                count, length_s = self._length(step, begin_s)
                step_end_s = begin_s + length_s
                self.busy_s += length_s
                self.steps += count
        self.admission.advance(now_s)
        return self._result(now_s)

    def _next_s(self) -> float:
        """When the next event outside the engine is due."""
        next_s = self.next_arrival_s()
        if self.inbox and self.inbox[0][0] < next_s:
            next_s = self.inbox[0][0]
        if self.releases and self.releases[0][0] < next_s:
            next_s = self.releases[0][0]
        if self.shared or self.admission.active >= self.limits.max_active:  # else nobody waits
            next_s = min(next_s, self.admission.next_deadline_s)
        deadlines = self.deadlines
        while deadlines and deadlines[0][0] < next_s:
            if deadlines[0][1].state in _ALIVE:
                return deadlines[0][0]
            deadlines.popleft()
        return next_s

    def next_arrival_s(self) -> float:
        """When `arrive` has to be called next, inf for never."""
        if self.closed or self.follow is not None:
            due_s = self.users[0][0] if self.users else inf
        else:
            due_s = self.due_s[self.sent] if self.sent < len(self.due_s) else inf
        return due_s if due_s < self.until_s else inf

    def _play(self, now_s: float) -> None:
        """The one event that is due: in this order where several are."""
        if self.releases and self.releases[0][0] <= now_s:
            self._release(self.releases.popleft()[1], "ok", now_s)
        elif self.inbox and self.inbox[0][0] <= now_s:
            _, ticket, sequence = self.inbox.popleft()
            if ticket.state is State.RUNNING:
                self.engine.add(sequence)
                self.in_engine[ticket] = sequence
        elif self.admission.next_deadline_s <= now_s:
            change = self.admission.expire(now_s)
            for ticket in change.ended:
                self._end(ticket, ticket.state.value, now_s)
            self._dispatch(change.granted, now_s)
        elif self.deadlines and self.deadlines[0][0] <= now_s:
            self._time_out(self.deadlines.popleft()[1], now_s)
        else:
            self.arrive(now_s)

    def arrive(self, now_s: float) -> None:
        """What is due now is sent."""
        index = self.sent
        self.sent += 1
        if self.closed or self.follow is not None:
            index = heapq.heappop(self.users)[1]
            self.due_s[index] = now_s
        self.send(index, now_s)

    def send(self, index: int, now_s: float) -> None:
        """This request reaches the gateway now."""
        ticket = self.admission.offer(now_s, request=self._facts(index, now_s), owner=index)
        if ticket.state is State.RUNNING:
            self._dispatch((ticket,), now_s)
        elif ticket.state is not State.WAITING:
            self._end(ticket, ticket.state.value, now_s)
            return
        if self.admission.active > self.peak_active:
            self.peak_active = self.admission.active
        if self.admission.queued > self.peak_queue:
            self.peak_queue = self.admission.queued
        self.deadlines.append((now_s + self.limits.request_timeout_s, ticket))

    def _facts(self, index: int, now_s: float) -> RequestFacts:
        arrival = self.arrivals[index]
        # A plan knows tokens, the gateway sees bytes. Orders compare requests, so the factor hardly matters.
        prompt_bytes = arrival.prompt_tokens * BYTES_PER_TOKEN
        if not self.senders and not self.shared:
            return RequestFacts(prompt_bytes)
        sender = self.senders[index] if self.senders else NOBODY
        tokens = arrival.prompt_tokens + arrival.output_tokens
        kv_tokens = -(-tokens // self.block_size) * self.block_size
        due_s = now_s + sender.within_s
        return RequestFacts(prompt_bytes, sender.lane, tokens, due_s, kv_tokens, arrival.output_tokens)

    def _dispatch(self, granted: Sequential[Ticket], now_s: float) -> None:
        for ticket in granted:
            index: int = ticket.owner  # type: ignore[assignment]  # we put the index there
            arrival = self.arrivals[index]
            self.granted_s[index] = now_s
            sequence = Sequence(arrival.prompt_tokens, arrival.output_tokens, ticket)
            self.inbox.append((now_s + self.ingest_s, ticket, sequence))
            self.taken_s += self.arrival_work_s

    def _release(self, ticket: Ticket, outcome: str, now_s: float) -> None:
        if ticket.state is not State.RUNNING:
            return  # it timed out while its last token was on the way
        self.in_engine.pop(ticket, None)
        change = self.admission.release(ticket, now_s)
        self._end(ticket, outcome, now_s)
        self._dispatch(change.granted, now_s)

    def _time_out(self, ticket: Ticket, now_s: float) -> None:
        """The request's whole time is up."""
        if ticket.state is State.RUNNING:
            if ticket in self.in_engine:  # else it is still on its way there, and will not be let in
                self.aborts.append(self.in_engine[ticket])
            self._release(ticket, "upstream_timeout", now_s)
        elif ticket.state is State.WAITING:
            self._dispatch(self.admission.leave(ticket, now_s).granted, now_s)
            self._end(ticket, "queue_timeout", now_s)

    def _end(self, ticket: Ticket, outcome: str, now_s: float) -> None:
        index: int = ticket.owner  # type: ignore[assignment]  # we put the index there
        self.ended(index, outcome, now_s)

    def ended(self, index: int, outcome: str, now_s: float) -> None:
        """This request has ended so."""
        self.outcome[index] = outcome
        if outcome == "ok":
            self.last_s[index] = now_s
        if self.closed and self.dealt < len(self.arrivals):
            heapq.heappush(self.users, (now_s + self.arrivals[self.dealt].think_s, self.dealt))
            self.dealt += 1
        if self.follow is not None and outcome == "ok":
            self._follow(self.follow.children[index], now_s)

    def _follow(self, children: Sequential[int], now_s: float) -> None:
        """Of those that follow an answer the ones that waited for it alone are due after their pause; what
        follows another end never is."""
        for index in children:
            self.waits[index] -= 1
            if not self.waits[index]:
                arrival = self.arrivals[index]
                heapq.heappush(self.users, (max(arrival.due_s, now_s + arrival.think_s), index))

    def _take(self) -> float:
        """Seconds that the API server has taken from the engine since the last call."""
        taken_s, self.taken_s = self.taken_s, 0.0
        self.busy_s += taken_s
        return taken_s

    def _length(self, step: Step, now_s: float) -> tuple[int, float]:
        """How many steps like this one can be taken together, and their seconds."""
        timing = self.timing.at(now_s)
        if step.prefill_tokens:
            attention_s = self.per_pair_s * step.pairs
            return 1, timing.duration_s(step.decode, step.tokens, step.kv_tokens) + attention_s
        ahead = self.engine.steps_ahead()
        if ahead > 1:
            whole_s = timing.decode_run_s(step.decode, step.kv_tokens, ahead)
            free_s = self._undisturbed_until_s() - now_s
            if whole_s <= free_s:
                return ahead, whole_s
            ahead = min(ahead, int(timing.steps_to_reach(step.decode, step.kv_tokens, free_s)))
        return ahead, timing.decode_run_s(step.decode, step.kv_tokens, ahead)

    def _undisturbed_until_s(self) -> float:
        """Before this time nothing outside can reach the engine."""
        until_s = self.inbox[0][0] if self.inbox else inf
        if self.deadlines:
            until_s = min(until_s, self.deadlines[0][0])
        if self.shared:
            until_s = min(until_s, self.admission.next_deadline_s)  # who leaves may have been in the way
        if self.releases and (self.admission.queued or self.follow is not None):
            until_s = min(until_s, self.releases[0][0] + self.lead_s)
        if self.releases or self.admission.active < self.limits.max_active:
            until_s = min(until_s, self.next_arrival_s() + self.lead_s)
        return until_s

    def _finish(self, step: Step, count: int, now_s: float) -> None:
        at_client_s = now_s + self.egress_s
        prompts: list[int] = []
        for sequence in step.first_tokens:
            index: int = sequence.owner.owner
            if isnan(self.first_s[index]):  # else its prompt was computed again, after a preemption
                self.first_s[index] = at_client_s
                prompts.append(sequence.prompt_tokens)
        context = self.engine.decoded_context
        ended = self.engine.end(count)
        if self.step_log is not None:
            pairs = sum(tokens * tokens / 2 for tokens in prompts)
            seen = (now_s, count, step.decode, context, len(prompts), sum(prompts), pairs, len(ended))
            self.step_log.append(seen)
        for sequence in ended:
            self.releases.append((at_client_s, sequence.owner))
            self.taken_s += self.end_work_s
        for sequence in self.aborts:
            self.engine.abort(sequence)
        self.aborts.clear()

    def _result(self, end_s: float) -> Simulated:
        core = self.admission
        return Simulated(
            np.array([OUTCOMES.index(outcome) for outcome in self.outcome], dtype=np.int8),
            np.array(self.due_s),
            np.array(self.granted_s),
            np.array(self.first_s),
            np.array(self.last_s),
            end_s,
            core.active_seconds,
            core.queue_seconds,
            core.queue_full_seconds,
            self.peak_active,
            self.peak_queue,
            self.steps,
            self.busy_s,
            self.engine.preemptions,
            compiled=False,
            step_log=None if self.step_log is None else _table(self.step_log),
        )


def _table(steps: Sequential[tuple[float, int, int, int, int, int, float, int]]) -> Records:
    table = zeros(LoggedStep, len(steps))
    table[:] = steps
    return table
