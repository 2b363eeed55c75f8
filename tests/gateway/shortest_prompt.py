"""A queue order that the gateway does not have: the shortest prompt first. Only tests know it.

Run as a module it is a gateway whose `fifo` is this order.
"""

import heapq
import sys

from gateway import orders
from gateway.__main__ import main
from gateway.limits import QueueOrder
from gateway.ticket import Ticket


class ShortestPrompt:
    """Fewest prompt bytes first, of equals the oldest: a heap, in which who left stays until it is on top."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Ticket]] = []
        self._waiting: set[Ticket] = set()
        self._pushed = 0

    def push(self, ticket: Ticket) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (ticket.request.prompt_bytes, self._pushed, ticket))
        self._waiting.add(ticket)

    def peek(self) -> Ticket | None:
        while self._heap and self._heap[0][2] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def remove(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)

    def rank(self, ticket: Ticket) -> float:
        return ticket.request.prompt_bytes


if __name__ == "__main__":
    orders.ORDERS[QueueOrder.FIFO] = ShortestPrompt  # type: ignore[index]  # this process is a test's own
    sys.exit(main())
