"""How far a completion has come, and what may still happen to it."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Protocol, TypeVar, TypeVarTuple


class Stage(StrEnum):
    """In this order; from each the next one, or the end."""

    BODY = "body"
    WAITING = "waiting"
    ASKED = "asked"
    RELAYING = "relaying"
    ENDED = "ended"


# Bound once: in Python 3.11 each `Stage.X` ends in a Python function of the enum's class.
BODY, WAITING, ASKED, RELAYING, ENDED = Stage


class Staged(Protocol):
    """What has stages, and fails by an exception."""

    stage: Stage

    def fail(self, error: Exception) -> None:
        """Ends it."""


_Staged = TypeVar("_Staged", bound=Staged)
_Facts = TypeVarTuple("_Facts")


def event(happens: Callable[[_Staged, *_Facts], None]) -> Callable[[_Staged, *_Facts], None]:
    """Something that happens. What it raises ends what it happens to; after the end nothing happens."""

    @wraps(happens)
    def guarded(to: _Staged, *facts: *_Facts) -> None:
        if to.stage is not ENDED:
            try:
                happens(to, *facts)
            except Exception as error:
                to.fail(error)
                error.__traceback__ = None  # its frames know the error: a circle around all that they hold

    return guarded
