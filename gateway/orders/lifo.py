"""Newest first: under a standing queue it serves those with patience left, at the oldest's price."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Newest first. Those at the bottom wait until the queue empties or their timeout ends them."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[T, None] = OrderedDict()

    def push(self, item: T) -> None:
        self._waiting[item] = None

    def peek(self) -> T | None:
        return next(reversed(self._waiting), None)

    def remove(self, item: T) -> None:
        del self._waiting[item]

    def __len__(self) -> int:
        return len(self._waiting)
