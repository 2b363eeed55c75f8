"""A watch in virtual time: weeks of traffic with a daily rhythm on a drawn engine, and the probes in it.

Each round is simulated for a third of its five minutes, with all its probes in it and the users' Poisson
arrivals at the rate of that time of day; the engine has a speed of its own in each round, part of it lasting
from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.drift.prober import LEAST_GAPS, QUARTILE, REQUESTS
from experiments.drift.recorded import mean_in_flight
from experiments.drift.round import Round
from experiments.twin.capacity import Planned
from experiments.twin.simulate import Core, simulate
from experiments.twin.simulated import OK, Simulated
from gateway.limits import Limits
from loadtests.planning import plan as plans
from tests.experiments.tuning import virtual_tuning
from tests.experiments.tuning.virtual_tuning import Scenario
from tests.experiments.twin.nonlinear_engine import engine

EVERY_S = 300.0
WINDOW_S = 100.0
FIRST_S = 15.0
"""Users were there for so long before the first probe."""
BETWEEN_S = 10.0
PROBES = REQUESTS
PROMPT, OUTPUT = 64, 64
LIGHT, HEAVY = 0.15, 0.85
"""Of capacity, at night and at noon."""
LASTING = 0.7
"""What is left of a round's own speed in the next."""


@dataclass(frozen=True, slots=True)
class VirtualService:
    """An engine, its users and its gateway. `sd`: of the engine's speed from round to round; `lengths`: of
    users' requests, to draw from (n, 2), tokens of prompt and answer."""

    scenario: Scenario
    capacity_per_s: float
    limits: Limits
    sd: float
    lengths: npt.NDArray[np.int64]

    @property
    def most_in_round(self) -> int:
        """More arrivals than a round ever has."""
        return int(2.5 * WINDOW_S * self.capacity_per_s) + 50


def draw(seed: int) -> VirtualService:
    """The engine of this seed with one slot a place in its batch."""
    scenario = virtual_tuning.draw(seed, 60.0, Core.COMPILED)
    load = scenario.loads[0]
    assert load.rate_per_s is not None
    assert load.relative is not None
    limits = Limits(max_active=scenario.bounds.max_num_seqs, queue_max=100, queue_timeout_s=10.0)
    plan = plans.make("sustained", 50.0, 0.0, 100.0, seed, mix=scenario.mix)
    lengths = np.array([(a.prompt_tokens, a.output_tokens) for a in plan.arrivals])
    return VirtualService(scenario, load.rate_per_s / load.relative, limits, scenario.drift_sd, lengths)


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
    gaps_s = rng.exponential(1 / _rate_per_s(service, number, rng), size=service.most_in_round)
    due_s = np.cumsum(gaps_s)
    due_s = due_s[due_s < WINDOW_S]
    lengths = service.lengths[rng.integers(len(service.lengths), size=len(due_s))]
    at_s = np.concatenate((due_s, FIRST_S + BETWEEN_S * np.arange(PROBES)))
    lengths = np.concatenate((lengths, np.full((PROBES, 2), (PROMPT, OUTPUT))))
    order = np.argsort(at_s, kind="stable")
    both = list(map(Planned, at_s[order].tolist(), *lengths[order].T.tolist()))
    true = engine(scenario.physics, scenario.bounds, speed=speed, seed=int(rng.integers(1 << 30)))
    done = simulate(both, true, service.limits, core=scenario.core, logged=True)
    ok = done.codes == OK
    asked = (order >= len(due_s)) & ok
    begun_s, ended_s = done.granted_s[ok], done.last_s[ok]
    # A probe sees the gateway's counters before it is sent and after it was answered.
    others = mean_in_flight(begun_s, ended_s, done.due_s[asked], done.last_s[asked]) - 1.0
    token_s = [
        _token_s(done, float(first_s), float(last_s), scenario.physics.egress_s)
        for first_s, last_s in zip(done.first_s[asked], done.last_s[asked], strict=True)
    ]
    return Round(number * EVERY_S, np.maximum(others, 0.0).tolist(), token_s)


def _token_s(done: Simulated, first_s: float, last_s: float, egress_s: float) -> float:
    """Of an answer, as a probe takes it from its chunks: one came with each step of the engine."""
    assert done.step_log is not None
    ends_s, counts = done.step_log["end_s"] + egress_s, done.step_log["count"]
    begin, end = np.searchsorted(ends_s, [first_s - 1e-9, last_s + 1e-9])
    gaps_s = np.repeat(np.diff(ends_s[begin:end]) / counts[begin + 1 : end], counts[begin + 1 : end])
    if len(gaps_s) < LEAST_GAPS:  # alone, its steps are a row or two of the log
        return (last_s - first_s) / (OUTPUT - 1)
    return float(np.quantile(gaps_s, QUARTILE))
