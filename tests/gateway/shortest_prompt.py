"""A queue order that the gateway does not have: the shortest prompt first. Only tests know it.

Run as a module it is a gateway whose `fifo` is this order.
"""

import sys

from gateway import orders
from gateway.__main__ import main
from gateway.limits import QueueOrder
from gateway.ticket import Ticket


class ShortestPrompt(orders.LeastFirst):
    """Fewest prompt bytes first."""

    def rank(self, ticket: Ticket) -> float:
        return ticket.request.prompt_bytes


if __name__ == "__main__":
    orders.ORDERS[QueueOrder.FIFO] = ShortestPrompt  # type: ignore[index]  # this process is a test's own
    sys.exit(main())
