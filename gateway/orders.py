"""Queue orders: who gets the next free slot. A new one is a class and a row of `ORDERS` here, a name in
`limits.QueueOrder`, and its line in docs/backpressure.md.
"""

import heapq
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.limits import QueueOrder
from gateway.ticket import Ticket


class Order(Protocol):
    """A waiting line that always knows who is next, by whatever a ticket holds while it waits: when it came,
    its slots, and what its request declared (`ticket.request`).

    Admission calls `push` and `remove` once for each waiter and `peek` once or twice with every event, so
    their costs are part of an event's. Those by arrival are O(1); one over a heap of n waiters (`LeastFirst`)
    costs O(log n) for each push and remove, and O(n log n) when the order is changed while n wait.
    """

    def push(self, ticket: Ticket) -> None:
        """Adds a newcomer."""

    def peek(self) -> Ticket | None:
        """Who is next, or None when nobody waits."""

    def remove(self, ticket: Ticket) -> None:
        """Takes `ticket` out, wherever it stands. Raises KeyError when it is not waiting."""

    def rank(self, ticket: Ticket) -> float:
        """Of the next ones of several lanes of a class the one with the lowest rank goes first."""


class OldestFirst:
    """First come, first served: the default, and the only order in which no waiter is overtaken.

    An OrderedDict is a linked list: O(1) at both ends and in the middle, unlike dict at its front.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[Ticket, None] = OrderedDict()

    def push(self, ticket: Ticket) -> None:
        self._waiting[ticket] = None

    def peek(self) -> Ticket | None:
        return next(iter(self._waiting), None)

    def remove(self, ticket: Ticket) -> None:
        del self._waiting[ticket]

    def rank(self, ticket: Ticket) -> float:
        return ticket.arrived_s


class NewestFirst(OldestFirst):
    """The same line, read from its other end: under a standing queue it serves those with patience left.

    Those at the far end wait until the queue empties or their timeout ends them.
    """

    def peek(self) -> Ticket | None:
        return next(reversed(self._waiting), None)

    def rank(self, ticket: Ticket) -> float:
        return -ticket.arrived_s


class LeastFirst(ABC):
    """The least `rank` first, of equals the oldest. A heap, in which who left stays until it is on top, or
    until more have left than wait.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Ticket]] = []
        self._waiting: set[Ticket] = set()
        self._pushed = 0

    @abstractmethod
    def rank(self, ticket: Ticket) -> float:
        """What it is judged by; it never changes while the ticket waits."""

    def push(self, ticket: Ticket) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (self.rank(ticket), self._pushed, ticket))
        self._waiting.add(ticket)

    def peek(self) -> Ticket | None:
        while self._heap and self._heap[0][2] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def remove(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)
        if len(self._heap) > 2 * len(self._waiting) + 16:
            self._heap = [entry for entry in self._heap if entry[2] in self._waiting]
            heapq.heapify(self._heap)


class EarliestDue(LeastFirst):
    """Earliest due date first: `RequestFacts.due_s`."""

    def rank(self, ticket: Ticket) -> float:
        return ticket.request.due_s


Orders = Mapping[QueueOrder, Callable[[], Order]]

ORDERS: Orders = {
    QueueOrder.FIFO: OldestFirst,
    QueueOrder.LIFO: NewestFirst,
    QueueOrder.EDF: EarliestDue,
    QueueOrder.FAIR: OldestFirst,  # inside a lane; between lanes `sharing` goes by tokens
}
