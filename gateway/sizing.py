"""How large MAX_ACTIVE should be: a sample in, a number out.

Today the limit is what the operator set. An adaptive rule is another class with the same method; whoever
calls it turns a changed number into a new version of the limits, logged and counted with the rule's name as
the reason.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished request, as a rule sees it. Client aborts are no samples: they say nothing about the
    engine.

    upstream_ttft_s: dispatch to first content chunk, None when there was none; active: slots held when it
    ended; dropped: the engine refused it or timed out.
    """

    upstream_ttft_s: float | None
    active: int
    dropped: bool


class Sizing(Protocol):
    """A rule for the number of slots."""

    def update(self, sample: Sample, max_active: int) -> int:
        """The number of slots to use from now on, at least 1."""


class Fixed:
    """The operator's number, whatever happens."""

    def update(self, sample: Sample, max_active: int) -> int:
        return max_active
