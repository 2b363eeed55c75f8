"""What every completion has to do with, each part by its name."""

from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from gateway.account import Account
from gateway.call import CancelReason
from gateway.deadlines import Deadlines
from gateway.engine import Engine
from gateway.metrics import Metrics
from gateway.relays import Relays
from gateway.settings import Settings
from gateway.waiting import WaitingRoom


class Running(Protocol):
    """A completion that has not ended."""

    def cut(self, reason: CancelReason) -> None:
        """Ends it early."""


@dataclass(frozen=True, slots=True)
class Service:
    """room admits a completion, engine answers it, relays hand the answer on, account counts it.

    models: those that clients may name, empty for all; passes_clients_key: whether the engine gets the
    clients' keys; running: all that have not ended.
    """

    settings: Settings
    room: WaitingRoom
    engine: Engine
    relays: Relays
    account: Account
    metrics: Metrics
    deadlines: Deadlines
    log: FilteringBoundLogger
    models: tuple[str, ...]
    passes_clients_key: bool
    running: set[Running] = field(default_factory=set)
