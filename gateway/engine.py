"""The engine, as a request meets it."""

from dataclasses import dataclass

from gateway.breaker import Breaker
from gateway.probe import Probe
from gateway.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Engine:
    """upstream: the connections to it; breaker: whether a request may try to reach it now; probe: what it
    serves, as last seen.
    """

    upstream: Upstream
    breaker: Breaker
    probe: Probe
