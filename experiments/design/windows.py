"""How long a cell's phases last, from the latencies that the probe saw."""

from dataclasses import dataclass

from experiments.design.probe import Probe
from experiments.spec.gateway_section import AUTO
from experiments.spec.sweep_spec import WindowSection
from loadtests.planning.session_shape import SessionShape

# Between cells: wait for the next generator, set the limits, read the counters. The rest of it overlaps.
OVERHEAD_S = 1.0
LIVES = 5.0
"""Of a request, that a measured window holds at least."""
LIVES_OF_COSTS = 25.0
"""The same where slots in requests are compared with slots in tokens. A KV cache that is too small for those
who run fills up slowly, and the engine collapses only then: in shorter windows it looks as good as one that
is protected (tests/experiments/racing/axis_evidence.py)."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Lengths in seconds: arrivals that are not counted, arrivals that are, and the longest wait for what is
    in flight."""

    warm_up_s: float
    measure_s: float
    drain_s: float
    cool_down_s: float = 0.0
    """after the window, while sessions of it go on"""

    @property
    def expected_s(self) -> float:
        """Wall time of a cell; a drain seldom takes its whole allowance."""
        drain_s = min(self.drain_s, 0.4 * self.drain_s + 0.5)
        return self.warm_up_s + self.measure_s + self.cool_down_s + drain_s + OVERHEAD_S


def longest_life_s(probe: Probe, widest: int, longest_queue_timeout_s: float) -> float:
    """About how long a request stays under full load, seconds: as long as at the engine's capacity, or less
    where `widest`, the most slots of any setting, keep the engine from it."""
    behind_slots_s = probe.e2e_with_s(widest) + longest_queue_timeout_s
    return min(probe.e2e_at_capacity_s, behind_slots_s)


def phases(
    spec: WindowSection,
    rate_per_s: float,
    life_s: float,
    longest_queue_timeout_s: float,
    lives: float = LIVES,
) -> Phases:
    """The phases for a load of `rate_per_s`; `life_s`: `longest_life_s`.

    Warm-up: two and a half lives, so that the requests of a filling system are over. Measured window: long
    enough for `min_requests` arrivals with a tenth to spare, and for so many `lives`. Drain: the longest a
    request that is admitted at the very end can need. One minute at most for the warm-up.
    """
    warm_up_s = min(60.0, max(1.5, 2.5 * life_s)) if spec.warm_up_s == AUTO else float(spec.warm_up_s)
    measure_s = (
        max(7.0, 1.1 * spec.min_requests / rate_per_s, lives * life_s)
        if spec.measure_s == AUTO
        else float(spec.measure_s)
    )
    drain_s = (
        max(3.0, 4.0 * life_s + min(longest_queue_timeout_s, 120.0))
        if spec.drain_s == AUTO
        else float(spec.drain_s)
    )
    return Phases(round(warm_up_s, 1), round(measure_s, 1), round(drain_s, 1))


def for_sessions(plain: Phases, spec: WindowSection, sessions: SessionShape, life_s: float) -> Phases:
    """The phases for a load of sessions whose requests stay `life_s` seconds, from those for requests alone.

    Warm-up and cool-down: as long as a session of mean length and half of one more, two minutes at most, so
    that the last measured session meets the load of the first. Drain: for four times the answers of a mean
    session.
    """
    session_s = sessions.pauses_s + sessions.in_a_row * life_s
    warm_up_s, drain_s = plain.warm_up_s, plain.drain_s
    if spec.warm_up_s == AUTO:
        warm_up_s = round(max(warm_up_s, min(120.0, 1.5 * session_s)), 1)
    if spec.drain_s == AUTO:
        drain_s = round(plain.drain_s + 4.0 * (sessions.in_a_row - 1) * life_s, 1)
    return Phases(warm_up_s, plain.measure_s, drain_s, cool_down_s=warm_up_s)
