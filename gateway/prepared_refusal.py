"""The answer to a request that finds no place, made before it comes: in overload most are these."""

import math
from dataclasses import dataclass

import orjson

from gateway.endings import refused
from gateway.error_form import OPENAI, ErrorForm
from gateway.lane import NO_LANES, Lanes
from gateway.lane_book import KnownLane
from gateway.limits import Limits
from gateway.outcome import Outcome
from gateway.ticket import State


@dataclass(frozen=True, slots=True)
class PreparedRefusal:
    """A refusal under certain limits, but for the wait and the request's name."""

    status: int
    outcome: Outcome
    _fields: bytes
    _body: bytes

    @classmethod
    def of(
        cls,
        state: State,
        limits: Limits,
        lane: KnownLane | None = None,
        lanes_version: int = 0,
        binds: str | None = None,
        form: ErrorForm = OPENAI,
    ) -> "PreparedRefusal":
        """For a ticket that ended in `state` at once. Equal to what `ErrorForm` and `Call` say of it."""
        refusal = refused(state, limits, lane, binds)
        content = form.content(refusal, f"{refusal.message} Retry in @wait@ s.", "@wait_s@")
        body = orjson.dumps(content).replace(b"%", b"%%")
        fields = refusal.fields() + b"retry-after: %d\r\nretry-after-ms: %d\r\nx-request-id: %b\r\n"
        fields += b"x-gateway-limits-version: " + str(limits.version).encode() + b"\r\n"
        if lane is not None:
            fields += b"x-gateway-lanes-version: %d\r\n" % lanes_version
        fields += b"server-timing: queue;dur=0.000" + (lane.timing if lane is not None else b"") + b"\r\n"
        return cls(
            form.status_of(refusal),
            refusal.outcome,
            fields,
            body.replace(b"@wait@", b"%.1f").replace(b'"@wait_s@"', b"%.3f"),
        )

    def fields(self, wait_s: float, request_id: bytes) -> bytes:
        """The lines of its head. wait_s: when to come back."""
        return self._fields % (math.ceil(wait_s), math.ceil(wait_s * 1000), request_id)

    def body(self, wait_s: float) -> bytes:
        """The error object."""
        return self._body % (wait_s, wait_s)


class PreparedRefusals:
    """The ones of the limits and lanes in force."""

    def __init__(self) -> None:
        self._limits: Limits | None = None
        self._lanes: Lanes | None = None
        self._made: dict[tuple[State, KnownLane | None, str | None, ErrorForm], PreparedRefusal] = {}

    def of(
        self,
        state: State,
        limits: Limits,
        lanes: Lanes = NO_LANES,
        lane: KnownLane | None = None,
        binds: str | None = None,
        form: ErrorForm = OPENAI,
    ) -> PreparedRefusal:
        """Made at the first call after a change of the limits, the lanes or what binds (see `scarce`)."""
        if limits is not self._limits or lanes is not self._lanes:
            self._limits, self._lanes, self._made = limits, lanes, {}
        made = self._made.get((state, lane, binds, form))
        if made is None:
            made = PreparedRefusal.of(state, limits, lane, lanes.version, binds, form)
            self._made[state, lane, binds, form] = made
        return made
