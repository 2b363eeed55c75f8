"""What noisy stretches at several rates tell about the rate at which attainment falls to its target.

The model: in the logarithm of the rate, attainment falls along a logistic curve,

    a(x) = (1 - e) / (1 + exp(b (x - c) - t)),

parametrised by what is asked, the logarithm c of the rate at which a is the target (t follows from target and
e); b is its slope there and e what is missed under any load. It is fitted on a grid over c, b, e and the
variance's inflation f, so that the posterior of c is had without sampling and without an optimiser; c has a
flat prior. This is the Bayesian adaptive estimation of a psychometric function (Kontsevich and Tyler 1999;
Watson 2017, "QUEST+"), with four changes for requests in a queue:

* A stretch's likelihood is a double binomial (Efron 1986, "Double exponential families and their use in
  generalized linear regression"): a binomial whose variance is f times as large, since requests that
  come together are missed together. f is learnt from the scatter between stretches and from the effective
  sizes inside them.
* x is the rate that came, not the one that was asked for: on virtual engines it explains 10 to 90 % of what
  a stretch's attainment varies by. The long-run attainment at a rate also holds the ups and downs that a
  stretch of exactly that many requests does not have; a second-order term puts them back (`_given_count`).
* The curve is a likeness. What was seen far from the target (in logits) is given a further standard deviation
  of `SHAPE_SD` of that distance, so that it tells where the target is not, and little more.
* Two stretches differ by the engine's speed as well, by `RUN_TO_RUN`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.stats.goodput import RUN_TO_RUN
from experiments.stats.stretch import Stretch

Floats = npt.NDArray[np.float64]

SHAPE_SD = 0.25
_STEP = 0.012
_MOST_STEPS = 500
_BEYOND = 2.5
"""How many times the largest rate that came, and what part of the smallest, the posterior reaches."""
_SLOPES = np.geomspace(1.5, 50.0, 8)
_SLOPE_PRIOR = (np.log(7.0), 0.8)
_LAPSES = np.array([0.0, 0.3, 0.7])
"""Missed under any load, as parts of what the target lets be missed."""
_LAPSE_PRIOR = np.log([0.6, 0.25, 0.15])
_INFLATIONS = np.geomspace(0.5, 24.0, 6)
_INFLATION_PRIOR = (np.log(2.0), 0.8)
_SEEN_SD = (0.35, 0.6)
"""Of the logarithm of an inflation as stretches tell it: what they share, and each one's own."""
_CAUTION = 1.15
"""Effective sizes are the smaller of two estimates: on virtual engines the inflation they tell is so many
times the true one."""
_HIGHEST = 0.9995


@dataclass(frozen=True, slots=True)
class Posterior:
    """Weights (sum 1) over logarithms of the rate (n,) × slopes × lapses; `inflation`: the mean one."""

    log_rate: Floats
    weights: Floats
    inflation: float
    target: float

    @property
    def of_rate(self) -> Floats:
        """Weights over the logarithm of the rate alone, shape (n,)."""
        marginal: Floats = self.weights.sum(axis=(1, 2))
        return marginal

    def quantile(self, share: float) -> float | None:
        """That quantile of the rate, requests per second; None where it lies beyond what the stretches can
        tell."""
        sums = np.cumsum(self.of_rate)
        at = float(np.interp(share, sums, self.log_rate))
        outside = at <= self.log_rate[1] or at >= self.log_rate[-2]
        return None if outside else float(np.exp(at))

    def information(self, rates_per_s: Floats, duration_s: float) -> Floats:
        """What a stretch of that length at each of the rates (m,) would tell of the crossing, in nats: half
        the logarithm of one and the ratio of what its attainment varies by between places of the crossing to
        what it varies by at one (that of a normal channel; Lindley 1956 for the criterion)."""
        of_rate = self.of_rate
        told = np.zeros(len(rates_per_s))
        for k, rate in enumerate(rates_per_s):
            share, variance = self._expected(float(rate), max(1.0, float(rate) * duration_s))
            with np.errstate(invalid="ignore", divide="ignore"):
                given = np.where(of_rate > 0, (self.weights * share).sum(axis=(1, 2)) / of_rate, 0.0)
                square = (self.weights * (variance + share**2)).sum(axis=(1, 2)) / of_rate
                inside = np.where(of_rate > 0, square - given**2, 0.0)
            mean = float((of_rate * given).sum())
            between = float((of_rate * (given - mean) ** 2).sum())
            told[k] = 0.5 * np.log1p(between / max(1e-12, float((of_rate * inside).sum())))
        return told

    def _expected(self, rate_per_s: float, n: float) -> tuple[Floats, Floats]:
        """Mean and variance of a stretch's attainment, for each cell of the grid; without the scatter of the
        rate, which is known afterwards."""
        share, off = _curve(float(np.log(rate_per_s)), self.log_rate, self.target)
        inflation = self.inflation + n * off / (share * (1 - share))
        return share, inflation * share * (1 - share) / n


def posterior(stretches: Sequence[Stretch], target: float) -> Posterior:
    """What the stretches (one at least, any order and rates) tell; `target` is a share above 0, at most 1."""
    target = min(target, _HIGHEST)
    came = np.log([stretch.came_per_s for stretch in stretches])
    low, high = came.min() - np.log(_BEYOND), came.max() + np.log(_BEYOND)
    log_rate = np.linspace(low, high, min(_MOST_STEPS, int((high - low) / _STEP) + 2))
    total = _prior(stretches, target)[None, ...]
    for stretch in stretches:
        total = total + _log_likelihood(stretch, log_rate, target)
    weights = np.exp(total - total.max())
    weights /= weights.sum()
    inflation = float(np.exp((weights.sum(axis=(0, 1, 2)) * np.log(_INFLATIONS)).sum()))
    return Posterior(log_rate, weights.sum(axis=3), inflation, target)


def _prior(stretches: Sequence[Stretch], target: float) -> Floats:
    """Logarithm of the prior of slopes × lapses × inflations, with what the stretches' own ups and downs say
    of the inflation: inside a stretch the rate that comes varies too."""
    slope = -0.5 * ((np.log(_SLOPES) - _SLOPE_PRIOR[0]) / _SLOPE_PRIOR[1]) ** 2
    inflation = -0.5 * ((np.log(_INFLATIONS) - _INFLATION_PRIOR[0]) / _INFLATION_PRIOR[1]) ** 2
    total: Floats = slope[:, None, None] + _LAPSE_PRIOR[:, None] + inflation
    seen = [np.log(s.inflation) for s in stretches if s.inflation is not None]
    if seen:
        expected = np.log(_CAUTION * (_INFLATIONS + (_SLOPES**2 * target * (1 - target))[:, None]))
        variance = _SEEN_SD[0] ** 2 + _SEEN_SD[1] ** 2 / len(seen)
        total = total - 0.5 * ((np.mean(seen) - expected) ** 2 / variance)[:, None, :]
    return total


def _log_likelihood(stretch: Stretch, log_rate: Floats, target: float) -> Floats:
    """Of one stretch, over rates × slopes × lapses × inflations."""
    n, seen = float(max(1, stretch.offered)), stretch.attainment
    share, off = _curve(float(np.log(stretch.came_per_s)), log_rate, target)
    inflation = _INFLATIONS + (n * off / (share * (1 - share)))[..., None]
    mean = _given_count(share, n)
    deviance = -2 * n * (_x_log_y_over_x(seen, mean) + _x_log_y_over_x(1 - seen, 1 - mean))
    # All or none: a mass of its own, that of n / inflation independent requests, and no density.
    spread = 0.0 if seen in (0.0, 1.0) else 0.5 * np.log(inflation)
    told: Floats = -spread - deviance[..., None] / (2 * inflation)
    return told


def _curve(log_rate: float, crossing: Floats, target: float) -> tuple[Floats, Floats]:
    """Attainment at a rate, and the variance of what curve and engine may be off by; over crossings × slopes
    × lapses."""
    ceiling = 1 - _LAPSES * (1 - target)
    at_target = np.log(target / (ceiling - target))
    slope = _SLOPES[:, None]
    distance = slope * (log_rate - crossing)[:, None, None]
    met = 1 / (1 + np.exp(np.clip(distance - at_target, -40, 40)))
    share = np.clip(ceiling * met, 1e-6, 1 - 1e-6)
    off = (SHAPE_SD * distance) ** 2 + (RUN_TO_RUN * slope) ** 2
    return share, off * (ceiling * met * (1 - met)) ** 2


def _given_count(share: Floats, n: float) -> Floats:
    """Expected attainment of a stretch in which just n requests came, at a rate whose long-run attainment is
    `share`. The long run also holds counts above and below n (variance n): to second order in 1/n."""
    slope = _SLOPES[:, None]
    less = 0.5 * share * (1 - share) * slope * (slope * (2 * share - 1) + 1) / n
    return np.clip(share + less, 1e-6, 1 - 1e-6)


def _x_log_y_over_x(x: float, y: Floats) -> Floats:
    """x · ln(y / x), 0 for x = 0."""
    return x * np.log(y / x) if x > 0 else np.zeros_like(y)
