"""What all client connections share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.client import Client, Exchange
from gateway.deadlines import Deadlines
from gateway.outcome import Outcome, Route
from gateway.refusal import lines
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
    _dated: list[tuple[bytes, bytes]] | None = None
    _date: bytes = b""
    open: set[FrontClient] = field(default_factory=set)

    def date(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """The lines of the fields that the server puts into every answer; it makes a new list each second."""
        if fields is not self._dated:
            self._dated, self._date = fields, lines(fields)
        return self._date
