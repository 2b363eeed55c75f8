"""A trace: what was asked for and when, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.mix import Floats
from loadtests.planning.workloads import Counts

SHORTEST_SPAN_S = 1e-6
"""Below it, requests count as sent at one time: plans count microseconds."""


class TraceError(ValueError):
    """A trace file that cannot be read or played as asked: one sentence that names what is wrong."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Columns (n,), ascending in time; -1 = none. `notes` says in words what reading changed or left out.

    prompt_tokens: whole prompts, with the history of their session; where `new_words_only`, without it.
    """

    name: str
    arrival_s: Floats
    prompt_tokens: Counts
    output_tokens: Counts
    session: Counts
    prefix_group: Counts
    cls: tuple[str, ...]
    notes: tuple[str, ...] = ()
    format: str = ""
    new_words_only: bool = False

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """Seconds from the first arrival to the last."""
        return float(self.arrival_s[-1] - self.arrival_s[0]) if len(self) else 0.0

    @property
    def rate_per_s(self) -> float:
        """Mean rate over the span of the trace; 0 where there is no span to take it over."""
        return len(self) / self.span_s if self.span_s >= SHORTEST_SPAN_S else 0.0

    def take(self, keep: NDArray[np.bool_]) -> Trace:
        """The requests where `keep` (n,) is true."""
        return replace(
            self,
            arrival_s=self.arrival_s[keep],
            prompt_tokens=self.prompt_tokens[keep],
            output_tokens=self.output_tokens[keep],
            session=self.session[keep],
            prefix_group=self.prefix_group[keep],
            cls=tuple(name for name, kept in zip(self.cls, keep, strict=True) if kept),
        )
