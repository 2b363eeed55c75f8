"""The limits in force: one immutable value, replaced as a whole, numbered by its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum


class QueueMode(StrEnum):
    """What happens to a request that finds no free slot."""

    QUEUE = "queue"
    REJECT = "reject"


class QueueOrder(StrEnum):
    """Which waiter gets the next free slot. Each has its row in `gateway.orders.ORDERS`.

    `fair` shares the slots of a class by tokens among its lanes; where there are no lanes it is `fifo`.
    """

    FIFO = "fifo"
    LIFO = "lifo"
    FAIR = "fair"
    EDF = "edf"


class SlotCost(StrEnum):
    """What a request takes: a slot for each of its sequences, or of a budget of tokens too."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Limits:
    """What admission enforces.

    max_active: slots, at least 1. queue_max: waiting requests, 0 means no queue. queue_timeout_s: the longest
    wait for a slot, above 0; it applies to everyone who waits, also after a change. request_timeout_s: a
    request's whole life at the gateway, the wait included. slot_cost: what a request takes of what bounds
    those that run. version: grows by one with every change.
    """

    max_active: int = 2
    queue_mode: QueueMode = QueueMode.QUEUE
    queue_max: int = 100
    queue_timeout_s: float = 120.0
    queue_order: QueueOrder = QueueOrder.FIFO
    request_timeout_s: float = 300.0
    slot_cost: SlotCost = SlotCost.REQUESTS
    version: int = 1

    @property
    def room(self) -> int:
        """Requests that may wait: queue_max, and none where everything is refused at once."""
        return self.queue_max if self.queue_mode is QueueMode.QUEUE else 0

    def values(self) -> dict[str, int | float | str]:
        """The limits by name, without the version: the body of `PUT /admin/limits`."""
        return {name: getattr(self, name) for name in LIMIT_NAMES}

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Limits:
        """The first version of limits given by name; one that is not named has its default.

        Raises:
            TypeError: a name is no limit.
            ValueError: a mode, an order or a cost is none of ours.
        """
        read = dict(values)
        kinds = (("queue_mode", QueueMode), ("queue_order", QueueOrder), ("slot_cost", SlotCost))
        for name, kind in kinds:
            if name in read:
                read[name] = kind(str(read[name]))
        return cls(**read)  # type: ignore[arg-type]  # keys are checked by the call

    def changed(self, **values: object) -> Limits:
        """These limits with `values` put in, as the next version."""
        return replace(self, **values, version=self.version + 1)  # type: ignore[arg-type]  # keys are checked by replace


LIMIT_NAMES = tuple(field.name for field in fields(Limits) if field.name != "version")
