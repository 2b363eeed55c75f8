"""The two sides of a request at the engine: who carries it there, and who is told of the answer."""

from typing import Protocol

from gateway.refusal import Fields, Headers, Refusal


class Carrier(Protocol):
    """What carries a request to the engine and its answer back."""

    def release(self) -> None:
        """Owed on every path, once: a connection whose answer was read to its end serves again, any other is
        dropped, which is how the engine learns that nobody wants the rest.
        """

    def pause(self) -> None:
        """Nothing more is read until `resume`."""

    def resume(self) -> None:
        """Reads again."""


class Reader(Protocol):
    """Who asked. Told of the answer as it comes in; after `release` of nothing more.

    carrier: set before anything is told, and anew where the request goes out a second time.
    """

    carrier: Carrier | None

    def answer_begins(self, status: int, headers: Headers, fields: Fields) -> None:
        """The head is in; names are in lower case. fields: the first value of each."""

    def answer_arrived(self, data: bytes, complete: bool) -> None:
        """More of the body, at least one byte unless it is now complete."""

    def answer_chunks(self, chunks: bytes, start: int) -> bool:
        """The same as whole chunks with their frames, the content of the first from `start` on: see
        `chunked`. False: not taken; they then come by `answer_arrived`.
        """

    def answer_fails(self, fault: Refusal) -> None:
        """There will be no answer, or no rest of one."""
