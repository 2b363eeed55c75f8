"""What goes into a simulation, request by request, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]
Records = npt.NDArray[np.void]

OUTCOMES = (
    *("not_sent", "ok", "rejected_full", "rejected_mode", "queue_timeout", "upstream_timeout"),
    "over_budget",  # only where there are lanes, which the compiled core does not play
)
"""How a request can end here; a code is a place in it. Compiled code holds the codes: who changes one changes
`core.py` as well, or an earlier compilation stays in use.
"""
NOT_SENT, OK, REJECTED_FULL, REJECTED_MODE, QUEUE_TIMEOUT, UPSTREAM_TIMEOUT = range(6)


class Arrival(Protocol):
    """What of a planned request the simulator reads; `loadtests.planning.arrival.Arrival` is one."""

    @property
    def due_s(self) -> float: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def think_s(self) -> float: ...
    @property
    def after(self) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request: the name of its lane, and within how many seconds it should be served (for `edf`;
    inf: nobody said).
    """

    lane: str = ""
    within_s: float = inf


NOBODY = Sender()


@dataclass(frozen=True, slots=True)
class Simulated:
    """What happened to each request, in the order of the plan; shape (n,), seconds from the start of the run.

    Attributes:
        codes: how each ended, as places in `OUTCOMES`; not_sent is the rest of a closed loop, and what
            follows a request that was not answered.
        due_s: when it was due (in a closed loop: when its user sent it).
        granted_s: when it got its slot; nan if never.
        first_s: its first token at the client; nan if never.
        last_s: its last token at the client; nan unless the outcome is ok.
        end_s: end of the simulated time.
        active_seconds, queue_seconds, queue_full_seconds: the gateway's time integrals.
        peak_active, peak_queue: the most requests that ran, and that waited, at once.
        steps, busy_s: engine steps, and the seconds they took.
        preemptions: of the engine.
        compiled: whether the compiled core played it, or the reference; they give the same numbers.
        step_log: rows of `tables.LoggedStep`, where they were asked for.
    """

    codes: npt.NDArray[np.int8]
    due_s: Times
    granted_s: Times
    first_s: Times
    last_s: Times
    end_s: float
    active_seconds: float
    queue_seconds: float
    queue_full_seconds: float
    peak_active: int
    peak_queue: int
    steps: int
    busy_s: float
    preemptions: int
    compiled: bool
    step_log: Records | None = None

    @property
    def outcome(self) -> tuple[str, ...]:
        """How each request ended, by name."""
        return tuple(OUTCOMES[code] for code in self.codes.tolist())
