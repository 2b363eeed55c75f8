"""A watch in virtual time: weeks of traffic with a daily rhythm on a drawn engine, and the probes in it.

Each round is simulated for a minute, with all its probes in it (a real one spreads them over five, which
makes them less alike), and with the users' arrivals at the rate of that time of
day; the engine has a speed of its own in each round, part of it lasting from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from experiments.drift.prober import REQUESTS
from experiments.drift.recorded import mean_in_flight
from experiments.drift.round import Round
from experiments.twin.capacity import Planned
from experiments.twin.simulate import Core, simulate
from experiments.twin.simulated import OK
from gateway.limits import Limits
from loadtests.planning import plan as plans
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.nonlinear_engine import engine

EVERY_S = 300.0
WINDOW_S = 66.0
FIRST_S = 20.0
"""Users were there for so long before the first probe."""
BETWEEN_S = 5.5
PROBES = REQUESTS
PROMPT, OUTPUT = 64, 64
LIGHT, HEAVY = 0.15, 0.85
"""Of capacity, at night and at noon."""
LASTING = 0.7
"""What is left of a round's own speed in the next."""


@dataclass(frozen=True, slots=True)
class VirtualService:
    """An engine, its users and its gateway. `sd`: of the engine's speed from round to round."""

    scenario: Scenario
    capacity_per_s: float
    limits: Limits
    sd: float


def draw(seed: int) -> VirtualService:
    """The engine of this seed with one slot a place in its batch."""
    scenario = virtual_tuning.draw(seed, 60.0, Core.COMPILED)
    load = scenario.loads[0]
    assert load.rate_per_s is not None
    assert load.relative is not None
    limits = Limits(max_active=scenario.bounds.max_num_seqs, queue_max=100, queue_timeout_s=10.0)
    return VirtualService(scenario, load.rate_per_s / load.relative, limits, scenario.drift_sd)


def rounds(
    service: VirtualService, seed: int, count: int, *, slower: float = 1.0, start: int = 0
) -> Iterator[Round]:
    """That many rounds from the one numbered `start` on; the engine is `slower` times as slow as it was."""
    rng = np.random.default_rng([seed, start, round(1000 * slower)])
    own = 0.0
    fresh = service.sd * math.sqrt(1 - LASTING**2)
    for number in range(start, start + count):
        own = LASTING * own + float(rng.normal(0.0, fresh))
        yield _round(service, number, slower * math.exp(own), rng)


def _rate_per_s(service: VirtualService, number: int, rng: np.random.Generator) -> float:
    """By the time of day, 15 % off by chance."""
    of_day = 2 * math.pi * (number * EVERY_S % 86_400.0) / 86_400.0
    part = LIGHT + (HEAVY - LIGHT) * (1 - math.cos(of_day)) / 2
    return service.capacity_per_s * part * float(rng.lognormal(0.0, 0.15))


def _round(service: VirtualService, number: int, speed: float, rng: np.random.Generator) -> Round:
    scenario = service.scenario
    rate_per_s = _rate_per_s(service, number, rng)
    plan = plans.make("sustained", rate_per_s, 0.0, WINDOW_S, int(rng.integers(1 << 30)), mix=scenario.mix)
    users = [Planned(a.due_s, a.prompt_tokens, a.output_tokens) for a in plan.arrivals]
    probes = [Planned(FIRST_S + k * BETWEEN_S, PROMPT, OUTPUT) for k in range(PROBES)]
    both = sorted([*users, *probes], key=lambda one: one.due_s)
    mine = np.array([any(one is probe for probe in probes) for one in both])
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=int(rng.integers(1 << 30)))
    done = simulate(both, true, service.limits, core=scenario.core)
    ok = done.codes == OK
    asked = mine & ok
    begun_s, ended_s = done.granted_s[ok], done.last_s[ok]
    # A probe sees the gateway's counters before it is sent and after it was answered.
    others = mean_in_flight(begun_s, ended_s, done.due_s[asked], done.last_s[asked]) - 1.0
    tpot_s = (done.last_s[asked] - done.first_s[asked]) / (OUTPUT - 1)
    return Round(number * EVERY_S, np.maximum(others, 0.0).tolist(), tpot_s.tolist())


def quieter(service: VirtualService, sd: float) -> VirtualService:
    """The same with another spread from round to round."""
    return replace(service, sd=sd)
