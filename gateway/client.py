"""The two sides of a request at the gateway: the client's connection and what is done for it.

The connection tells an `Exchange` what its client does; the exchange answers through `Client`. Everything is
a plain call on the event loop's thread.
"""

from typing import Protocol


class Client(Protocol):
    """The client's connection, as far as a request has to do with it. One answer to each request, either
    whole or begun, continued and ended; an answer to a client that has left goes nowhere.

    gone: the client has left; stalled: it does not read what is sent to it. `fields` below are whole lines
    of a head, without those that say how long the body is or whether the connection goes on.
    """

    gone: bool
    stalled: bool

    def ask_for_body(self) -> None:
        """Tells a client that waits to be asked (`Expect: 100-continue`) to send the request's body."""

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer, and with it the end of the exchange."""

    def begin(self, status: int, fields: bytes, first: bytes) -> None:
        """The head of an answer whose length nobody knows, and the first bytes of its body, maybe none."""

    def send(self, data: bytes) -> None:
        """More of its body, at least one byte."""

    def send_chunks(self, chunks: bytes) -> None:
        """More of its body that is framed already, in whole chunks."""

    def end(self, last: bytes = b"") -> None:
        """The last bytes of its body, maybe none, and the end of the exchange."""

    def close_after_answer(self) -> None:
        """The present answer is the connection's last, and the client may still be sending its request: it
        can read the answer to the end nevertheless.
        """

    def abort(self) -> None:
        """Drops the connection at once, unsent bytes included."""


class Exchange(Protocol):
    """What is done for a request: a completion, or a request of the control plane."""

    def body_arrived(self) -> None:
        """More of the request's body is in, or all of it."""

    def body_broken(self) -> None:
        """The rest of the request cannot be read; nothing more will come."""

    def client_left(self) -> None:
        """The connection is closed."""

    def client_paused(self) -> None:
        """The client does not read as fast as it is told."""

    def client_resumed(self) -> None:
        """It has caught up."""

    def client_stalled(self) -> None:
        """It has not read for STALL_TIMEOUT_S; its connection is dropped after this."""
