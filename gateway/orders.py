"""Queue orders: who gets the next free slot. A new one is a class and a row of `ORDERS` here, a name in
`limits.QueueOrder`, and its line in docs/backpressure.md.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.limits import QueueOrder
from gateway.ticket import Ticket


class Order(Protocol):
    """A waiting line that always knows who is next, by whatever a ticket holds while it waits: when it came,
    its slots, and what its request declared (`ticket.request`).

    Admission calls `push` and `remove` once for each waiter and `peek` once or twice with every event, so
    their costs are part of an event's. The orders here are O(1). One over a heap of n waiters costs O(log n)
    for each push and remove (removed tickets may stay in the heap until they come to its top: `peek` then
    drops each once), and O(n log n) when the order is changed while n wait.
    """

    def push(self, ticket: Ticket) -> None:
        """Adds a newcomer."""

    def peek(self) -> Ticket | None:
        """Who is next, or None when nobody waits."""

    def remove(self, ticket: Ticket) -> None:
        """Takes `ticket` out, wherever it stands. Raises KeyError when it is not waiting."""


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


class NewestFirst(OldestFirst):
    """The same line, read from its other end: under a standing queue it serves those with patience left.

    Those at the far end wait until the queue empties or their timeout ends them.
    """

    def peek(self) -> Ticket | None:
        return next(reversed(self._waiting), None)


Orders = Mapping[QueueOrder, Callable[[], Order]]

ORDERS: Orders = {QueueOrder.FIFO: OldestFirst, QueueOrder.LIFO: NewestFirst}
