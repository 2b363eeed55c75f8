"""Queue orders: who gets the next free slot. Adding one is one module here and one name in
`limits.QueueOrder`.
"""

from importlib import import_module
from typing import Protocol, TypeVar, cast

from gateway.limits import QueueOrder

T = TypeVar("T")


class Order(Protocol[T]):
    """A waiting line that always knows who is next. Every method is O(1)."""

    def push(self, item: T) -> None:
        """Adds a newcomer."""

    def peek(self) -> T | None:
        """Who is next, or None when nobody waits."""

    def remove(self, item: T) -> None:
        """Takes `item` out, wherever it stands. KeyError when it is not waiting."""

    def __len__(self) -> int: ...


def make(name: QueueOrder) -> Order[T]:
    """An empty line of that order: the class `Line` of the module with the order's name."""
    return cast("Order[T]", import_module(f"gateway.orders.{name.value}").Line())
