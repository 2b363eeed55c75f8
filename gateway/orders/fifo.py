"""First come, first served: the default, and the only order in which no waiter is overtaken."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Oldest first. An OrderedDict is a linked list: O(1) at both ends and in the middle, unlike dict at its
    front.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[T, None] = OrderedDict()

    def push(self, item: T) -> None:
        self._waiting[item] = None

    def peek(self) -> T | None:
        return next(iter(self._waiting), None)

    def remove(self, item: T) -> None:
        del self._waiting[item]

    def __len__(self) -> int:
        return len(self._waiting)
