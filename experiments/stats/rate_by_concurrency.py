"""How fast a system serves with n slots busy, and so with all of them, read from every moment of a window.

A system without a queue is seldom full, also when it is offered more than it can do, so what it could do has
to be told from what it did with fewer. In state n (n slots busy) it spends T_n seconds, and D_n requests end;
for Poisson arrivals and any law of lengths, D_n/T_n estimates the service rate of that state (the loss system
and the shared processor are insensitive: Kelly 1979, chapter 3). A slot's seconds per request grow with the
batch, as an engine's step does,

    n / rate(n) = a + b·n,   a, b ≥ 0,

fitted by maximum likelihood (D_n Poisson, Fisher scoring); the error of the rate at n = slots is the delta
method's. With b = 0 the slots are independent servers.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_FEWEST_ENDS = 50
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class RateByConcurrency:
    """`base_s` (a) and `per_busy_s` (b), seconds; `covariance` of the two; `ended`: requests it rests on."""

    base_s: float
    per_busy_s: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    ended: int

    def rate_per_s(self, busy: int) -> float:
        """Requests per second with `busy` slots busy."""
        return busy / (self.base_s + self.per_busy_s * busy)

    def relative_error(self, busy: int) -> float:
        """Standard error of `rate_per_s`, as a part of it."""
        h = np.array([1.0, float(busy)])
        variance = float(h @ np.array(self.covariance) @ h)
        return math.sqrt(max(0.0, variance)) / (self.base_s + self.per_busy_s * busy)

    def loss_ratio(self, offered_per_s: float, slots: int) -> float:
        """Share that Poisson arrivals lose to full slots without a queue: Erlang's B with this curve's rates.

        pi_n proportional to the product over k ≤ n of offered/rate(k); the loss is pi_slots.
        """
        n = np.arange(1, slots + 1)
        logs = np.concatenate([[0.0], np.cumsum(np.log(offered_per_s * (self.base_s / n + self.per_busy_s)))])
        weights = np.exp(logs - logs.max())
        return float(weights[-1] / weights.sum())


def rate_by_concurrency(
    starts_s: Floats, ends_s: Floats, slots: int, window_s: tuple[float, float]
) -> RateByConcurrency | None:
    """Fitted to the times at which requests got and gave back their slots, (n,) each; None with fewer than
    fifty ends in the window."""
    seconds, ended = _by_state(starts_s, ends_s, slots, window_s)
    if ended.sum() < _FEWEST_ENDS:
        return None
    n = np.arange(1, slots + 1)
    work = n * seconds[1:]
    seen = work > 0
    return _fit(n[seen].astype(float), work[seen], ended[1:][seen])


def _by_state(
    starts_s: Floats, ends_s: Floats, slots: int, window_s: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Seconds spent and requests ended with 0, 1 … `slots` slots busy, (slots + 1,) each; what clocks put
    above counts as full."""
    times = np.concatenate([starts_s, ends_s])
    steps = np.concatenate([np.ones(len(starts_s)), -np.ones(len(ends_s))])
    order = np.lexsort((steps, times))  # at one instant ends come first: the slot is handed on
    times, steps = times[order], steps[order]
    before = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    state = np.clip(before, 0, slots).astype(int)
    spans = np.diff(np.clip(times, *window_s), prepend=window_s[0])
    ends = (steps < 0) & (times >= window_s[0]) & (times <= window_s[1])
    seconds = np.bincount(state, weights=spans, minlength=slots + 1)
    ended = np.bincount(state, weights=ends.astype(float), minlength=slots + 1)
    return seconds.astype(float), ended.astype(float)


def _fit(n: Floats, work: Floats, ended: Floats) -> RateByConcurrency | None:
    """`work`: slot-seconds in each state; the mean of `ended` there is work / (a + b·n)."""
    whole = np.column_stack([np.ones(len(n)), n])
    mean = float(work.sum() / ended.sum())
    for columns in ((0, 1), (0,), (1,)) if len(n) > 1 else ((0,),):
        design = whole[:, columns]
        found = _scored(design, work, ended, mean)
        if found is not None:
            at = np.zeros(2)
            at[list(columns)] = found
            # The error is that of the whole line also where a bound holds: the bound is an assumption.
            weights = work / (whole @ at) ** 3
            information = whole.T @ (weights[:, None] * whole)
            spread = np.linalg.pinv(information) if len(n) > 1 else np.diag([1.0 / weights.sum(), 0.0])
            (aa, ab), (ba, bb) = spread.tolist()
            return RateByConcurrency(float(at[0]), float(at[1]), ((aa, ab), (ba, bb)), int(ended.sum()))
    return None


def _scored(design: Floats, work: Floats, ended: Floats, mean: float) -> Floats | None:
    """Fisher scoring from a flat curve; None where it leaves the bounds or finds no end."""
    line = np.full(len(work), mean)
    theta = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        weights = work / line**3
        target = 2 * line - ended * line**2 / work
        before, theta = (
            theta,
            np.linalg.lstsq(design * np.sqrt(weights)[:, None], target * np.sqrt(weights), rcond=None)[0],
        )
        line = np.maximum(design @ theta, 0.05 * mean)
        if np.allclose(theta, before, rtol=1e-6, atol=1e-12):
            return theta if np.all(theta >= 0) else None
    return None
