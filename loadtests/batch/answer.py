"""What one request of a batch came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why a request has no completion. code: the server's own, else one of ours."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The end of a request: its line in the results.

    status, request_id, body: of the server's answer, body as parsed JSON; None where there was none. error:
    None for a 200 with JSON.
    """

    status: int | None
    request_id: str | None
    body: object
    error: BatchError | None


@dataclass(frozen=True, slots=True)
class Busy:
    """The server has no place for it now (429, 503). wait_s: what it told, None where it told nothing."""

    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Broken:
    """It may have been worked on and has no answer: a connection that broke, or a 5xx.

    answer: the result it gets when it is not tried again.
    """

    answer: BatchAnswer


@dataclass(frozen=True, slots=True)
class Unreached:
    """The server could not be connected to; why: a clause."""

    why: str


@dataclass(frozen=True, slots=True)
class Barred:
    """The server refuses our key or login, and would refuse all the others; why: a clause."""

    why: str


Sent = BatchAnswer | Busy | Broken | Unreached | Barred
