"""Scenarios by name: what each sends, which of the shape parameters it reads, and the due times it makes.

A new one is a row here, and its process or rate profile in `arrivals` where there is none that fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from loadtests.bounds import Bound, wrong
from loadtests.planning import arrivals
from loadtests.planning.arrivals import RateProfile, Times
from loadtests.planning.session_shape import AGENT, SessionShape


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
        """Raise WrongValueError, naming the parameter and what is allowed, when one is out of range."""
        for name, bound in SHAPE_BOUNDS.items():
            bound.check(name, getattr(self, name))
        if self.period_s <= self.burst_s:
            raise wrong("period_s", self.period_s, f"> burst_s ({self.burst_s} s)")


SHAPE_BOUNDS = {
    "cv": Bound(0, above=True),
    "factor": Bound(1),
    "burst_s": Bound(0, above=True, unit="s"),
    "period_s": Bound(0, above=True, unit="s"),
    "swing": Bound(0, 1),
    "steps": Bound(1),
    "users": Bound(1),
    "think_s": Bound(0, unit="s"),
}
"""What each parameter of `Shape` may be; a period is also longer than its burst."""

Gaps = Callable[[float, Shape, np.random.Generator], Times]
"""Unit-rate arrivals on [0, total): expected count, shape, generator → times in unit time."""
Profile = Callable[[float, Shape, np.random.Generator], RateProfile]
"""How the rate moves over a window: its length in seconds, shape, generator → profile."""


def _poisson(total: float, shape: Shape, rng: np.random.Generator) -> Times:
    return arrivals.poisson(total, rng)


def _equal(total: float, shape: Shape, rng: np.random.Generator) -> Times:
    return arrivals.constant(total)


def _gamma(total: float, shape: Shape, rng: np.random.Generator) -> Times:
    return arrivals.gamma(total, shape.cv, rng)


def _flat(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.flat(length_s)


def _square(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.square(length_s, factor=shape.factor, burst_s=shape.burst_s, period_s=shape.period_s)


def _spike(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.spike(length_s, factor=shape.factor, burst_s=shape.burst_s)


def _ramp(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.ramp(length_s, swing=shape.swing)


def _stairs(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.steps(length_s, swing=shape.swing, count=shape.steps)


def _diurnal(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    return arrivals.diurnal(length_s, swing=shape.swing, period_s=shape.period_s)


def _on_off(length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    off_s = shape.period_s - shape.burst_s
    return arrivals.on_off(length_s, on_s=shape.burst_s, off_s=off_s, rng=rng)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table: all there is to know about a scenario, wherever it is used.

    stationary: the same rate throughout the window, so that there is a steady state to look for. reads: the
    parameters of `Shape` that it uses. profile: None where due times are not drawn, but recorded (trace) or
    decided by the answers (closed). retry, sessions: what clients do after a refusal, and what requests
    belong to, where the mix says nothing.
    """

    title: str
    stationary: bool
    reads: tuple[str, ...] = ()
    gaps: Gaps = _poisson
    profile: Profile | None = _flat
    loop: str = "open"
    retry: str = "none"
    sessions: SessionShape | None = None


_BURSTS = ("factor", "burst_s", "period_s")
SCENARIOS: dict[str, Scenario] = {
    "sustained": Scenario("Poisson arrivals at one rate", True),
    "constant": Scenario("equal gaps", True, gaps=_equal),
    "gamma": Scenario("bursty arrivals: Gamma gaps", True, ("cv",), gaps=_gamma),
    "burst": Scenario("square wave: regular bursts", False, _BURSTS, profile=_square),
    "spike": Scenario("one burst in the middle", False, ("factor", "burst_s"), profile=_spike),
    "ramp": Scenario("rate rises linearly", False, ("swing",), profile=_ramp),
    "step": Scenario("rate rises in stairs", False, ("swing", "steps"), profile=_stairs),
    "diurnal": Scenario("a day: the rate follows a cosine", False, ("swing", "period_s"), profile=_diurnal),
    "on-off": Scenario("random silence and bursts", False, ("burst_s", "period_s"), profile=_on_off),
    "soak": Scenario("Poisson arrivals for a long time", True),
    "retry-storm": Scenario(
        "bursts from clients that retry as the OpenAI SDK does",
        False,
        _BURSTS,
        profile=_square,
        retry="openai",
    ),
    "agents": Scenario(
        "agent sessions: each call waits for the answer before it and for its tool", True, sessions=AGENT
    ),
    "trace": Scenario("replay of a recorded trace", False, profile=None),
    "recorded": Scenario("what a gateway with RECORD_DIR recorded, again", False, profile=None),
    "closed": Scenario(
        "N users, each waits for its answer, thinks, asks again",
        False,
        ("users", "think_s"),
        profile=None,
        loop="closed",
    ),
}


def due_times(
    scenario: str,
    rate_per_s: float,
    warm_up_s: float,
    measure_s: float,
    shape: Shape,
    rng: np.random.Generator,
    cool_down_s: float = 0.0,
) -> Times:
    """Due times in seconds from the start, ascending, in [0, warm_up_s + measure_s + cool_down_s).

    The shape belongs to the measured window; warm-up and cool-down run at the mean rate, with the same kind
    of gaps.
    Raises ValueError for a shape out of range, and for a scenario whose due times are not drawn.
    """
    shape.check()
    times = [np.empty(0)]
    if warm_up_s > 0:
        times.append(_stretch(scenario, rate_per_s, arrivals.flat(warm_up_s), shape, rng))
    profile = _profile(scenario, measure_s, shape, rng)
    times.append(warm_up_s + _stretch(scenario, rate_per_s, profile, shape, rng))
    if cool_down_s > 0:
        after = _stretch(scenario, rate_per_s, arrivals.flat(cool_down_s), shape, rng)
        times.append(warm_up_s + measure_s + after)
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
    return profile.warp(SCENARIOS[scenario].gaps(total, shape, rng), rate_per_s)


def _profile(scenario: str, length_s: float, shape: Shape, rng: np.random.Generator) -> RateProfile:
    make = SCENARIOS[scenario].profile
    if make is None:
        raise ValueError(f"scenario = {scenario!r}: it makes no due times of its own")
    return make(length_s, shape, rng)


def curve(scenario: str, length_s: float, shape: Shape, points: int) -> list[float]:
    """How the rate moves over a window, relative to its mean, in so many equal pieces; for drawings.

    Empty where due times are not drawn. Raises ValueError for a shape out of range.
    """
    shape.check()
    if SCENARIOS[scenario].profile is None:
        return []
    profile = _profile(scenario, length_s, shape, np.random.default_rng(0))
    edges = np.linspace(0.0, length_s, points + 1)
    return [float(x) for x in np.diff(np.interp(edges, profile.t_s, profile.area)) * points / length_s]
