"""What every completion has to do with, each part by its name."""

from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from gateway.account import Account
from gateway.call import CancelReason
from gateway.deadlines import Deadlines
from gateway.endings import crowded, refused
from gateway.engine import Engine
from gateway.metrics import Metrics
from gateway.recorder import Recorder
from gateway.refusal import Refusal
from gateway.relays import Relays
from gateway.request_body import BodyRules
from gateway.settings import Settings
from gateway.ticket import State
from gateway.waiting import WaitingRoom
from gateway.waits import Waits


class Running(Protocol):
    """A completion that has not ended."""

    def cut(self, reason: CancelReason) -> None:
        """Ends it early."""


@dataclass(frozen=True, slots=True)
class Service:
    """room admits a completion, engine answers it, relays hand the answer on, account counts it.

    waits: what refused clients are told; rules: for the bodies of requests; running: all that have not ended;
    counting: those of them that take no slot; recorder: keeps rows of them, None where nobody asked for it.
    """

    settings: Settings
    room: WaitingRoom
    waits: Waits
    engine: Engine
    relays: Relays
    account: Account
    metrics: Metrics
    deadlines: Deadlines
    log: FilteringBoundLogger
    rules: BodyRules
    running: set[Running] = field(default_factory=set)
    counting: set[Running] = field(default_factory=set)
    recorder: Recorder | None = None

    def crowd(self) -> Refusal | None:
        """The answer to one more that takes no slot: while draining, and where as many already count as there
        are slots and places in the queue; else None.
        """
        admission = self.room.admission
        if admission.draining:
            return refused(State.DRAINING, admission.limits)
        full = len(self.counting) >= admission.limits.max_active + admission.limits.queue_max
        return crowded(admission.limits) if full else None
