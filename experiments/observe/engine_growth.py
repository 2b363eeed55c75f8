"""What an engine counted over a cell, and when not to believe it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineGrowth:
    """What the engine's own counters grew by over a cell, every phase."""

    request_s: float
    """sum of the E2E latencies, seconds"""
    requests: float
    """finished requests"""
    prompt_tokens: float
    """prompt tokens of the finished requests"""
    prefix_hit_tokens: float | None = None
    """prompt tokens that came out of the prefix cache; none where it does not say"""
    queue_s: float | None = None
    """sum of the times in the engine's own queue, seconds; none where it does not say"""
    prefill_s: float | None = None
    """sum of the times in prefill, seconds; none where it does not say"""
    preemptions: float | None = None
    """running requests that were put back to wait; none where it does not say"""

    @property
    def restarted(self) -> bool:
        """A counter that went down began anew."""
        return min(self.request_s, self.requests, self.prompt_tokens) < 0
