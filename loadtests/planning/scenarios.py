"""Scenarios by name: what each sends, which of the shape parameters it reads, and the due times it makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from loadtests.planning import arrivals
from loadtests.planning.arrivals import RateProfile, Times


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of the shapes; each scenario reads the ones its row in `SCENARIOS` names.

    cv: coefficient of variation of the gaps. factor: rate inside a burst over the rate outside. burst_s:
    length of a burst, or mean length of an on period. period_s: distance of bursts, length of a day, or
    mean on + off period. swing: how far the rate moves around its mean, 0..1. steps: number of stairs.
    users, think_s: closed loop.
    """

    cv: float = 3.0
    factor: float = 5.0
    burst_s: float = 5.0
    period_s: float = 20.0
    swing: float = 0.8
    steps: int = 5
    users: int = 8
    think_s: float = 0.0

    def check(self) -> None:
        """Raise ValueError, naming the parameter and what is allowed, when one is out of range."""
        for name, ok, allowed in (
            ("cv", self.cv > 0, "> 0"),
            ("factor", self.factor >= 1, ">= 1"),
            ("burst_s", self.burst_s > 0, "> 0 s"),
            ("period_s", self.period_s > self.burst_s, f"> burst_s ({self.burst_s} s)"),
            ("swing", 0 <= self.swing <= 1, "between 0 and 1"),
            ("steps", self.steps >= 1, ">= 1"),
            ("users", self.users >= 1, ">= 1"),
            ("think_s", self.think_s >= 0, ">= 0 s"),
        ):
            if not ok:
                raise ValueError(f"{name} = {getattr(self, name)}: must be {allowed}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the scenario table."""

    title: str
    reads: tuple[str, ...] = ()
    loop: str = "open"


SCENARIOS: dict[str, Scenario] = {
    "sustained": Scenario("Poisson arrivals at one rate"),
    "constant": Scenario("equal gaps"),
    "gamma": Scenario("bursty arrivals: Gamma gaps", ("cv",)),
    "burst": Scenario("square wave: regular bursts", ("factor", "burst_s", "period_s")),
    "spike": Scenario("one burst in the middle", ("factor", "burst_s")),
    "ramp": Scenario("rate rises linearly", ("swing",)),
    "step": Scenario("rate rises in stairs", ("swing", "steps")),
    "diurnal": Scenario("a day: the rate follows a cosine", ("swing", "period_s")),
    "on-off": Scenario("random silence and bursts", ("burst_s", "period_s")),
    "soak": Scenario("Poisson arrivals for a long time"),
    "retry-storm": Scenario(
        "bursts from clients that retry as the OpenAI SDK does", ("factor", "burst_s", "period_s")
    ),
    "trace": Scenario("replay of a recorded trace"),
    "closed": Scenario(
        "N users, each waits for its answer, thinks, asks again", ("users", "think_s"), loop="closed"
    ),
}


def due_times(
    scenario: str,
    rate_per_s: float,
    warm_up_s: float,
    measure_s: float,
    shape: Shape,
    rng: np.random.Generator,
) -> Times:
    """Due times in seconds from the start, ascending, in [0, warm_up_s + measure_s).

    The shape belongs to the measured window; the warm-up runs at the mean rate, with the same kind of gaps.
    """
    shape.check()
    times = [np.empty(0)]
    if warm_up_s > 0:
        times.append(_stretch(scenario, rate_per_s, arrivals.flat(warm_up_s), shape, rng))
    profile = _profile(scenario, measure_s, shape, rng)
    times.append(warm_up_s + _stretch(scenario, rate_per_s, profile, shape, rng))
    return np.concatenate(times)


def peak_rate_per_s(scenario: str, rate_per_s: float, measure_s: float, shape: Shape) -> float:
    """The highest intensity the scenario plans, in requests per second (on-off: about, over its own draw)."""
    return rate_per_s * _profile(scenario, measure_s, shape, np.random.default_rng(0)).peak()


def used(scenario: str, shape: Shape) -> dict[str, float]:
    """The shape parameters this scenario reads, by name."""
    values = asdict(shape)
    return {name: values[name] for name in SCENARIOS[scenario].reads}


def _stretch(
    scenario: str, rate_per_s: float, profile: RateProfile, shape: Shape, rng: np.random.Generator
) -> Times:
    total = float(profile.area[-1]) * rate_per_s
    if scenario == "constant":
        unit = arrivals.constant(total)
    elif scenario == "gamma":
        unit = arrivals.gamma(total, shape.cv, rng)
    else:
        unit = arrivals.poisson(total, rng)
    return profile.warp(unit, rate_per_s)


def _profile(scenario: str, measure_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    match scenario:
        case "sustained" | "constant" | "gamma" | "soak":
            return arrivals.flat(measure_s)
        case "burst" | "retry-storm":
            return arrivals.square(
                measure_s, factor=shape.factor, burst_s=shape.burst_s, period_s=shape.period_s
            )
        case "spike":
            return arrivals.spike(measure_s, factor=shape.factor, burst_s=shape.burst_s)
        case "ramp":
            return arrivals.ramp(measure_s, swing=shape.swing)
        case "step":
            return arrivals.steps(measure_s, swing=shape.swing, count=shape.steps)
        case "diurnal":
            return arrivals.diurnal(measure_s, swing=shape.swing, period_s=shape.period_s)
        case "on-off":
            off_s = shape.period_s - shape.burst_s
            return arrivals.on_off(measure_s, on_s=shape.burst_s, off_s=off_s, rng=rng)
    raise ValueError(f"scenario {scenario!r} makes no due times of its own; allowed: {', '.join(SCENARIOS)}")
