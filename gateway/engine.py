"""The engine, as a request meets it."""

from dataclasses import dataclass

from gateway.breaker import Breaker
from gateway.endpoint import Endpoint
from gateway.probe import Probe
from gateway.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Engine:
    """endpoint: how it is reached; upstream: the connections to it; breaker: whether a request may try it
    now; probe: what it serves, as last seen.
    """

    endpoint: Endpoint
    upstream: Upstream
    breaker: Breaker
    probe: Probe
