"""The engine, as a request meets it."""

from dataclasses import dataclass

from gateway.breaker import Breaker
from gateway.call import Call
from gateway.endpoint import Endpoint
from gateway.engine_word import refused_key
from gateway.probe import Probe
from gateway.refusal import Fields, Refusal
from gateway.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Engine:
    """endpoint: how it is reached; upstream: the connections to it; breaker: whether a request may try it
    now; probe: what it serves, as last seen; passes_clients_key: whether it gets the clients' keys where
    there are no lanes, to which they else belong.
    """

    endpoint: Endpoint
    upstream: Upstream
    breaker: Breaker
    probe: Probe
    passes_clients_key: bool

    def fails(self, fault: Refusal, asked_s: float) -> None:
        """It has not begun to answer what it was asked at `asked_s` (monotonic)."""
        if fault.kind == "upstream_unreachable":
            self.breaker.unreachable(asked_s)

    def begins(self, status: int, fields: Fields, call: Call) -> None:
        """It has begun to answer. Raises Refusal where it, or who stands before it, refuses a key that is not
        the client's.
        """
        self.breaker.reached()
        if status in (401, 407):
            asks_for = fields.get(b"www-authenticate", b"")
            passed = self.passes_clients_key and call.lane is None
            refused = refused_key(
                status, asks_for=asks_for, clients_key_passed=passed, endpoint=self.endpoint
            )
            if refused is not None:
                raise refused
