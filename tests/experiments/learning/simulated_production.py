"""Productions in virtual time: an engine that the twin does not share, people with a daily rhythm who come in
bursts, and what the gateway would have recorded of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.spec.setting import Setting
from experiments.twin.simulate import Core, Offered, Simulated, simulate
from experiments.twin.simulated import OK, OUTCOMES
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.traffic.traffic import Names, Traffic
from tests.experiments.racing import virtual_race
from tests.experiments.tuning.virtual_tuning import Scenario, closed_loop_capacity
from tests.experiments.twin.disturbed_engine import disturbed_engine
from tests.experiments.twin.nonlinear_engine import engine

Floats = npt.NDArray[np.float64]
DAY_S = 1800.0
"""A day of these productions: its rhythm is 48 times as fast as a real one's, and so harder to learn."""
DAYS = 2
EPOCH_S = 1_780_000_000.0
_BURST_S = 15.0
_SPEED_S = 120.0


@dataclass(frozen=True, slots=True)
class SimulatedProduction:
    """A scenario, and its traffic: mean rate at the busiest hour over capacity, and how much the rate of some
    seconds differs from its mean (standard deviation over mean)."""

    scenario: Scenario
    peak: float
    burstiness: float
    capacity_per_s: float

    @property
    def present(self) -> Setting:
        """What is in force."""
        return self.scenario.default

    def arrivals(self, period: int, scale: float = 1.0, span_s: float = DAYS * DAY_S) -> list[Arrival]:
        """Of one period: each has its own bursts. The rate follows the hour; in time that is stretched by the
        rate they are a Poisson process (Çinlar 1975)."""
        rng = np.random.default_rng([self.scenario.seed, 17, period])
        edges_s = np.arange(0.0, span_s + _BURST_S, _BURST_S)
        shape = 1 / self.burstiness**2
        rhythm = 0.55 - 0.45 * np.cos(2 * math.pi * (edges_s[:-1] + _BURST_S / 2) / DAY_S)
        bursts = rng.gamma(shape, 1 / shape, len(rhythm))
        rate_per_s = scale * self.peak * self.capacity_per_s * rhythm * bursts
        expected = np.concatenate([[0.0], np.cumsum(rate_per_s * _BURST_S)])
        plan = plans.make(
            "sustained", 1.0, 0.0, float(expected[-1]), int(rng.integers(1 << 30)), mix=self.scenario.mix
        )
        due_s = np.interp([one.due_s for one in plan.arrivals], expected, edges_s)
        return [one._replace(due_s=at_s) for one, at_s in zip(plan.arrivals, due_s.tolist(), strict=True)]

    def play(self, arrivals: list[Arrival] | Offered, setting: Setting, period: int) -> Simulated:
        """On the true engine, whose speed differs a little from one minute to the next."""
        rng = np.random.default_rng([self.scenario.seed, 18, period])
        times_s = np.arange(0.0, 1.2 * DAYS * DAY_S, _SPEED_S)
        factors = rng.lognormal(0.0, self.scenario.drift_sd, len(times_s))
        true = disturbed_engine(
            self.scenario.physics, self.scenario.bounds, seed=9000 + period,
            speed_at=list(zip(times_s.tolist(), factors.tolist(), strict=True)),
        )  # fmt: skip
        return simulate(arrivals, true, setting.limits, core=Core.COMPILED)


def draw(seed: int) -> SimulatedProduction:
    """Engine, lengths, objective, present setting and traffic all depend on the seed."""
    scenario = virtual_race.draw(seed)
    rng = np.random.default_rng([seed, 16])
    capacity = closed_loop_capacity(engine(scenario.physics, scenario.bounds), scenario.mix)
    return SimulatedProduction(scenario, float(rng.uniform(0.4, 1.2)), float(rng.uniform(0.2, 0.7)), capacity)


def recorded(arrivals: list[Arrival], done: Simulated) -> Traffic:
    """The rows that the gateway would have written."""
    count = len(arrivals)
    due_s = np.array([one.due_s for one in arrivals])
    ok = done.codes == OK
    none = np.full(count, -1, dtype=np.int64)
    prompts = np.array([one.prompt_tokens for one in arrivals], dtype=np.int64)
    outputs = np.array([one.output_tokens for one in arrivals], dtype=np.int64)
    given_up = due_s + 1e-3
    finished_s = np.where(ok, done.last_s, np.where(np.isfinite(done.granted_s), due_s + 300.0, given_up))
    one_name = Names(("",), np.zeros(count, dtype=np.int64))
    return Traffic(
        arrived_unix_s=EPOCH_S + due_s,
        route=Names(("chat",), np.zeros(count, dtype=np.int64)),
        lane=one_name,
        session=one_name,
        outcome=Names(OUTCOMES, done.codes.astype(np.int64)),
        status=np.where(ok, 200, 429),
        body_bytes=4 * prompts + 200,
        prompt_bytes=np.where(np.isfinite(done.granted_s), 4 * prompts, -1),
        slots=np.ones(count, dtype=np.int64),
        max_tokens=outputs,
        prompt_tokens=np.where(ok, prompts, none),
        output_tokens=np.where(ok, outputs, none),
        queue_s=done.granted_s - due_s,
        upstream_s=np.where(np.isfinite(done.granted_s), 0.002, np.nan),
        first_s=done.first_s - due_s,
        last_s=done.last_s - due_s,
        finished_s=finished_s - due_s,
        limits_version=np.ones(count, dtype=np.int64),
        prefix=one_name,
    )
