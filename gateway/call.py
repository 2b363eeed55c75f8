"""What is known of one request on its way through the gateway, until it is counted."""

import time
from enum import Enum

from gateway import chunk
from gateway.asked import Asked
from gateway.lane_book import KnownLane
from gateway.outcome import Outcome, Route


class CancelReason(Enum):
    """Why a request was cut short: its client, a phase that took too long, or the process. A value is the
    sentence for the client and the log.
    """

    CLIENT_LEFT = "client left"
    BODY = "the request body was not complete in time"
    WHOLE = "the whole request took longer than allowed"
    FIRST_EVENT = "the engine sent no first token in time"
    IDLE = "the engine fell silent between two tokens"
    STALLED = "the client stopped reading its answer"
    MALFORMED = "the request body is not valid HTTP/1.1"
    STOPPING = "the gateway is stopping"


class Call:
    """Times, outcome and names of a request. Points in time are `time.monotonic()` seconds, None until they
    happen.

    arrived_s: head read; received_s: body read; dispatched_s: sent to the engine; head_s: its answer's head
    read; first_s, last_s: first and last content chunk relayed. queue_s: a span, the wait for a slot.
    offered: whether it ran or waited. cancel_reason: None unless it was cut short. prompt_tokens,
    output_tokens: from the engine's usage, None where it did not tell. asked: what is recorded of the
    request, None where nothing is. lane: None where there are no lanes; lanes_version: set with it. within_s:
    how soon after it came it should be served, a span; None where nobody said.
    """

    __slots__ = (
        "arrived_s",
        "asked",
        "cancel_reason",
        "code",
        "dispatched_s",
        "first_s",
        "head_s",
        "lane",
        "lanes_version",
        "last_s",
        "limits_version",
        "offered",
        "outcome",
        "output_tokens",
        "prompt_tokens",
        "queue_s",
        "received_s",
        "request_id",
        "route",
        "within_s",
    )

    lanes_version: int

    def __init__(self, route: Route, request_id: bytes, limits_version: int) -> None:
        self.route = route
        self.request_id = request_id
        self.limits_version = limits_version
        self.lane: KnownLane | None = None
        self.arrived_s = time.monotonic()
        self.received_s: float | None = None
        self.dispatched_s: float | None = None
        self.head_s: float | None = None
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.prompt_tokens: int | None = None
        self.output_tokens: int | None = None
        self.asked: Asked | None = None
        self.within_s: float | None = None
        self.queue_s = 0.0
        self.offered = False
        self.outcome: Outcome | None = None
        self.code = 0
        self.cancel_reason: CancelReason | None = None

    def ends(self, outcome: Outcome, code: int) -> None:
        """Sets how it ends."""
        self.outcome, self.code = outcome, code

    def used(self, usage: object) -> None:
        """What the engine says that it took; anything malformed is left out."""
        if type(usage) is dict:
            self.prompt_tokens = chunk.count(usage.get("prompt_tokens"))
            self.output_tokens = chunk.count(usage.get("completion_tokens"))

    def fields(self) -> bytes:
        """What every answer's head carries: which request this was, under which limits and lanes, and where
        its time went.
        """
        upstream = b""
        if self.head_s is not None and self.dispatched_s is not None:
            upstream = b", upstream;dur=%.3f" % ((self.head_s - self.dispatched_s) * 1000)
        lanes = b""
        if self.lane is not None:
            lanes = b"x-gateway-lanes-version: %d\r\n" % self.lanes_version
            upstream += self.lane.timing
        return (
            b"x-request-id: %b\r\nx-gateway-limits-version: %d\r\n%bserver-timing: queue;dur=%.3f%b\r\n"
            % (
                self.request_id,
                self.limits_version,
                lanes,
                self.queue_s * 1000,
                upstream,
            )
        )
