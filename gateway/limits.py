"""The limits in force: one immutable value, replaced as a whole, numbered by its version."""

from dataclasses import dataclass, replace
from enum import StrEnum


class QueueMode(StrEnum):
    """What happens to a request that finds no free slot."""

    QUEUE = "queue"
    REJECT = "reject"


class QueueOrder(StrEnum):
    """Which waiter gets the next free slot. Each value is a module in `gateway.orders`."""

    FIFO = "fifo"
    LIFO = "lifo"


@dataclass(frozen=True, slots=True)
class Limits:
    """What admission enforces.

    max_active: slots, at least 1. queue_max: waiting requests, 0 means no queue. queue_timeout_s: the longest
    wait for a slot, above 0; it applies to everyone who waits, also after a change. request_timeout_s: a
    request's whole life at the gateway, the wait included. version: grows by one with every change.
    """

    max_active: int = 2
    queue_mode: QueueMode = QueueMode.QUEUE
    queue_max: int = 100
    queue_timeout_s: float = 120.0
    queue_order: QueueOrder = QueueOrder.FIFO
    request_timeout_s: float = 300.0
    version: int = 1

    def changed(self, **values: object) -> "Limits":
        """These limits with `values` put in, as the next version."""
        return replace(self, **values, version=self.version + 1)  # type: ignore[arg-type]  # keys are checked by replace
