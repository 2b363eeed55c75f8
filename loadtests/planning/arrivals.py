"""Arrival processes: when requests are due, as pure functions of their parameters and a random generator.

A process is made in two steps. First a stationary process of rate 1 in *unit time* (`constant`, `poisson`,
`gamma`); then that time is warped by the cumulative of a rate profile (`RateProfile`), so that the rate at
time t is λ(t) = rate · f(t), where f has mean 1 over the window. Warping is exact: for Poisson gaps the
result is the inhomogeneous Poisson process with intensity λ(t) (time-change theorem; Brown et al., JASA
2005, section 3). So `rate_per_s` always is the *mean* rate over the window, whatever the profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


def constant(total: float) -> Times:
    """Unit-rate arrivals with equal gaps: 0.5, 1.5, 2.5, … below `total`."""
    return np.arange(0.5, total, 1.0)


def poisson(total: float, rng: np.random.Generator) -> Times:
    """Unit-rate Poisson process on [0, total): independent exponential gaps, no clipping, no
    rescaling to a count."""
    return gamma(total, 1.0, rng)


def gamma(total: float, cv: float, rng: np.random.Generator) -> Times:
    """Unit-rate renewal process on [0, total) with Gamma gaps whose coefficient of variation is `cv`.

    Gaps are Gamma(k, θ) with k = 1/cv², θ = cv². The first arrival is drawn from the equilibrium residual
    life (a uniform share of a length-biased gap, which is Gamma(k + 1, θ)), so the expected count is
    `total` exactly; a process started with a whole gap would be off by (cv² - 1)/2 arrivals. Raises
    ValueError unless cv > 0.
    """
    if cv <= 0:
        raise ValueError(f"cv must be > 0, got {cv}: use the constant process for equal gaps")
    shape, scale = 1.0 / cv**2, cv**2
    times = np.array([rng.gamma(shape + 1.0, scale) * rng.random()])
    while times[-1] < total:
        gaps = rng.gamma(shape, scale, size=int(total - times[-1]) + 64)
        times = np.concatenate((times, times[-1] + np.cumsum(gaps)))
    return times[times < total]


@dataclass(frozen=True, slots=True)
class RateProfile:
    """Relative rate f(t) over [0, duration), held as its cumulative: knots `t_s` (ascending, from 0) and
    `area` = ∫f dt.

    Between knots f is constant. The mean of f is 1: `area[-1] == t_s[-1]`.
    """

    t_s: Times
    area: Times

    def warp(self, unit: Times, rate_per_s: float) -> Times:
        """Seconds at which the cumulative expected count reaches `unit` (∫λ dt = unit); each
        `unit` below its end."""
        cumulative = self.area * rate_per_s
        # side="right" steps over a silent (flat) piece, so the slope of the piece found is never zero.
        piece = np.clip(np.searchsorted(cumulative, unit, side="right") - 1, 0, len(self.t_s) - 2)
        slope = np.diff(cumulative)[piece] / np.diff(self.t_s)[piece]
        return np.asarray(self.t_s[piece] + (unit - cumulative[piece]) / slope, dtype=np.float64)

    def peak(self) -> float:
        """The highest f(t)."""
        return float(np.max(np.diff(self.area) / np.diff(self.t_s)))


def profile_of(pieces: list[tuple[float, float]]) -> RateProfile:
    """A profile from (length in s, relative rate ≥ 0) pieces, scaled so that its mean is 1.

    Raises ValueError when the rate is zero throughout.
    """
    lengths = np.array([length for length, _ in pieces if length > 0])
    levels = np.array([level for length, level in pieces if length > 0])
    t_s = np.concatenate(([0.0], np.cumsum(lengths)))
    area = np.concatenate(([0.0], np.cumsum(lengths * levels)))
    if area[-1] <= 0:
        raise ValueError("a rate profile must be above zero somewhere")
    return RateProfile(t_s, area * (t_s[-1] / area[-1]))


def flat(duration_s: float) -> RateProfile:
    """The same rate throughout."""
    return profile_of([(duration_s, 1.0)])


def square(duration_s: float, *, factor: float, burst_s: float, period_s: float) -> RateProfile:
    """A square wave: in the middle of every `period_s` a burst of `burst_s` at `factor` times the rate.

    Raises ValueError unless a burst is shorter than its period.
    """
    if not 0 < burst_s < period_s:
        raise ValueError(f"burst_s must be in (0, period_s={period_s}), got {burst_s}")
    before = (period_s - burst_s) / 2
    pieces: list[tuple[float, float]] = []
    start = 0.0
    while start < duration_s:
        for length, level in ((before, 1.0), (burst_s, factor), (before, 1.0)):
            piece = min(length, duration_s - start)
            pieces.append((piece, level))
            start += piece
            if start >= duration_s:
                break
    return profile_of(pieces)


def spike(duration_s: float, *, factor: float, burst_s: float) -> RateProfile:
    """One burst of `burst_s` in the middle of the window at `factor` times the rate around it."""
    length = min(burst_s, duration_s)
    side = (duration_s - length) / 2
    return profile_of([(side, 1.0), (length, factor), (side, 1.0)])


def ramp(duration_s: float, *, swing: float, knots: int = 2000) -> RateProfile:
    """Linear rise from (1 - swing) to (1 + swing) times the mean rate."""
    middle = (np.arange(knots) + 0.5) / knots
    return profile_of([(duration_s / knots, 1.0 - swing + 2.0 * swing * float(x)) for x in middle])


def steps(duration_s: float, *, swing: float, count: int) -> RateProfile:
    """A staircase of `count` equal steps from (1 - swing) to (1 + swing) times the mean rate."""
    levels = np.linspace(1.0 - swing, 1.0 + swing, count) if count > 1 else np.ones(1)
    return profile_of([(duration_s / count, float(level)) for level in levels])


def diurnal(duration_s: float, *, swing: float, period_s: float, knots_per_period: int = 1000) -> RateProfile:
    """A day: 1 - swing·cos(2πt/period_s), starting at its lowest."""
    knots = max(2, int(knots_per_period * duration_s / period_s))
    middle = (np.arange(knots) + 0.5) * (duration_s / knots)
    level = 1.0 - swing * np.cos(2 * np.pi * middle / period_s)
    return profile_of([(duration_s / knots, float(x)) for x in level])


def on_off(duration_s: float, *, on_s: float, off_s: float, rng: np.random.Generator) -> RateProfile:
    """Exponential on and off times with means `on_s`, `off_s`, started in equilibrium; silent while off.

    The level while on is set so that this window has mean 1: with Poisson arrivals it is an interrupted
    Poisson process (Kuczura 1973) given its share of time on. Redrawn until it is on at all.
    """
    while True:
        on = bool(rng.random() < on_s / (on_s + off_s))
        pieces: list[tuple[float, float]] = []
        end = 0.0
        while end < duration_s:
            length = min(float(rng.exponential(on_s if on else off_s)), duration_s - end)
            pieces.append((length, 1.0 if on else 0.0))
            end += length
            on = not on
        if any(level for _, level in pieces):
            return profile_of(pieces)
