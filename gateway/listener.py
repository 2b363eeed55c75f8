"""What all client connections share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.client import Client, Exchange
from gateway.deadlines import Deadlines
from gateway.outcome import Outcome, Route
from gateway.request_reader import RequestReader
from gateway.settings import Settings


class FrontClient(Client, Protocol):
    """A client as it comes in. fields: lines that go into every answer to the present request."""

    fields: bytes

    def pause_reading(self) -> None:
        """Lets it wait with the rest of its request. Its departure is not noticed meanwhile."""

    def resume_reading(self) -> None:
        """Reads on."""


class Desk(Protocol):
    """Decides who answers a request."""

    def serve(self, client: FrontClient, request: RequestReader) -> Exchange | None:
        """Begins to answer one whose head is in. None: the answer is out already."""


@dataclass(slots=True)
class Listener:
    """count: called with route, outcome and status of each refusal that is made below any route; open: the
    connections that take part, max_connections at most.
    """

    settings: Settings
    desk: Desk
    deadlines: Deadlines
    count: Callable[[Route, Outcome, int], None]
    max_connections: int
    refused_connections: int = 0
    open: set[FrontClient] = field(default_factory=set)
