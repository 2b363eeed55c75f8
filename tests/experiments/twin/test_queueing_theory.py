"""The twin against exact queueing theory.

With a constant step cost and geometric lengths a request's service time is exponential up to the length of
a step (1/2000 of its mean), so gateway and engine together are an M/M/c queue with a bounded room,
deterministic patience, or a rate that depends on the batch. Accepted: 3 standard errors of independent runs
+ 0.5 % of the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.twin.profile import EXACT, Profile
from experiments.twin.simulate import Core, Simulated, simulate
from gateway.limits import Limits

MEAN_TOKENS = 2000
STEP_S = 1 / MEAN_TOKENS
"""So the mean service time is 1 s."""
CONSTANT = EXACT.model_copy(update={"base_s": STEP_S})
WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Planned:
    """An arrival."""

    due_s: float
    output_tokens: int
    think_s: float = 0.0
    prompt_tokens: int = 1
    after: tuple[int, ...] = ()


def arrivals(rate_per_s: float, count: int, seed: int) -> list[Planned]:
    """Poisson arrivals with geometric lengths."""
    rng = np.random.default_rng(seed)
    due_s = np.cumsum(rng.exponential(1 / rate_per_s, count))
    tokens = rng.geometric(1 / MEAN_TOKENS, count)
    return [Planned(float(t), int(n)) for t, n in zip(due_s, tokens, strict=True)]


def estimate(
    runs: int, run: Callable[[int], Simulated], measure: Callable[[Simulated], list[float]]
) -> list[tuple[float, float]]:
    """Mean and standard error of each measure over independent runs."""
    values = np.array([measure(run(seed)) for seed in range(runs)])
    return [
        (float(m), float(s))
        for m, s in zip(values.mean(0), values.std(0, ddof=1) / math.sqrt(runs), strict=True)
    ]


def agrees(found: tuple[float, float], exact: float) -> bool:
    """Within 3 standard errors + 0.5 %."""
    mean, error = found
    return abs(mean - exact) <= 3 * error + 0.005 * exact


def shares(done: Simulated) -> list[float]:
    """Rejected, timed out, and the mean wait of the served, after the warm-up."""
    first = int(WARM_UP * len(done.outcome))
    outcome = np.array(done.outcome[first:])
    wait_s = (done.granted_s - done.due_s)[first:]
    return [
        float(np.mean(outcome == "rejected_full")),
        float(np.mean(outcome == "queue_timeout")),
        float(np.nanmean(wait_s)),
    ]


def bounded_queue(c: int, q: int, a: float) -> tuple[float, float]:
    """M/M/c/c+q, mean service 1 s, arrival rate `a`: probability of rejection, mean wait of the accepted."""
    weights = [1.0]
    for n in range(1, c + q + 1):
        weights.append(weights[-1] * a / min(n, c))
    p = np.array(weights) / sum(weights)
    queue = sum(p[n] * (n - c) for n in range(c, c + q + 1))
    return float(p[-1]), float(queue / (a * (1 - p[-1])))


SHORT = [(4, 8, 0.95, 5_000), (8, 16, 1.2, 5_000)]
LONG = [(1, 4, 0.8, 20_000), (8, 16, 0.95, 20_000), (16, 64, 0.95, 40_000), (32, 64, 1.2, 20_000)]


@pytest.mark.parametrize(
    ("c", "q", "rho", "count"), [*SHORT, *(pytest.param(*row, marks=pytest.mark.prove) for row in LONG)]
)
def test_bounded_queue(c: int, q: int, rho: float, count: int) -> None:
    """MAX_ACTIVE=c and QUEUE_MAX=q without timeout are M/M/c/c+q."""
    limits = Limits(max_active=c, queue_max=q, queue_timeout_s=1e6, request_timeout_s=1e9)
    blocked, _, wait = estimate(
        12,
        lambda seed: simulate(arrivals(rho * c, count, seed), CONSTANT, limits, core=Core.COMPILED),
        shares,
    )
    exact_blocked, exact_wait_s = bounded_queue(c, q, rho * c)
    assert agrees(blocked, exact_blocked), (blocked, exact_blocked)
    assert agrees(wait, exact_wait_s), (wait, exact_wait_s)


# c, q, rho, tau → rejected, timed out, mean wait of the served: method.md §7, exact (Movaghar's form).
TIMEOUTS = [
    (4, 16, 1.2, 1.0, 0.000009, 0.22322, 0.4478),
    (8, 32, 1.5, 3.0, 0.146083, 0.18725, 2.6434),
    (2, 8, 0.8, 1.0, 0.000042, 0.15406, 0.2091),
    (8, 16, 1.0, 0.25, 0.0, 0.16013, 0.0477),
    (8, 16, 1.2, 1.0, 0.005702, 0.17887, 0.5646),
    (16, 64, 1.2, 1.0, 0.0, 0.16931, 0.7136),
]


@pytest.mark.parametrize(
    ("c", "q", "rho", "tau_s", "blocked", "timed_out", "wait_s"),
    [*TIMEOUTS[:2], *(pytest.param(*row, marks=pytest.mark.prove) for row in TIMEOUTS[2:])],
)
def test_queue_timeout(
    c: int, q: int, rho: float, tau_s: float, blocked: float, timed_out: float, wait_s: float
) -> None:
    """QUEUE_TIMEOUT_S=τ is M/M/c/c+q with deterministic patience."""
    limits = Limits(max_active=c, queue_max=q, queue_timeout_s=tau_s, request_timeout_s=1e9)
    found = estimate(
        12,
        lambda seed: simulate(arrivals(rho * c, 5_000, seed), CONSTANT, limits, core=Core.COMPILED),
        shares,
    )
    for estimated, exact in zip(found, (blocked, timed_out, wait_s), strict=True):
        assert agrees(estimated, exact) or abs(estimated[0] - exact) < 1e-4, (estimated, exact)


def test_a_batch_that_slows_its_steps() -> None:
    """With step time α + β·n the queue is a birth–death chain with death rate n / (tokens · (α + β·n))."""
    c, q, alpha_s, beta_s, rate_per_s = 16, 32, 0.00010, 0.00003, 14.0
    profile: Profile = EXACT.model_copy(update={"base_s": alpha_s, "per_decode_s": beta_s})
    weights = [1.0]
    for n in range(1, c + q + 1):
        batch = min(n, c)
        weights.append(weights[-1] * rate_per_s * MEAN_TOKENS * (alpha_s + beta_s * batch) / batch)
    p = np.array(weights) / sum(weights)
    queue = sum(p[n] * (n - c) for n in range(c, c + q + 1))
    limits = Limits(max_active=c, queue_max=q, queue_timeout_s=1e6, request_timeout_s=1e9)
    blocked, _, wait = estimate(
        12,
        lambda seed: simulate(arrivals(rate_per_s, 5_000, seed), profile, limits, core=Core.COMPILED),
        shares,
    )
    exact_wait_s = queue / (rate_per_s * (1 - p[-1]))
    assert agrees(blocked, p[-1]), (blocked, p[-1])
    assert agrees(wait, exact_wait_s), (wait, exact_wait_s)


@pytest.mark.parametrize(("users", "c", "think_s"), [(6, 2, 1.0), (12, 4, 3.0)])
def test_a_closed_loop(users: int, c: int, think_s: float) -> None:
    """Users who think are the machine-repair queue M/M/c//N: throughput from its birth–death chain."""
    weights = [1.0]
    for n in range(1, users + 1):
        weights.append(weights[-1] * (users - n + 1) / think_s / min(n, c))
    p = np.array(weights) / sum(weights)
    exact_per_s = sum(p[n] * min(n, c) for n in range(users + 1))
    limits = Limits(max_active=c, queue_max=users, queue_timeout_s=1e6, request_timeout_s=1e9)

    def run(seed: int) -> Simulated:
        rng = np.random.default_rng(seed)
        tokens, think = rng.geometric(1 / MEAN_TOKENS, 4000), rng.exponential(think_s, 4000)
        work = [Planned(0.0, int(n), float(z)) for n, z in zip(tokens, think, strict=True)]
        return simulate(work, CONSTANT, limits, users=users, core=Core.COMPILED)

    (rate,) = estimate(12, run, lambda done: [len(done.outcome) / done.end_s])
    assert agrees(rate, exact_per_s), (rate, exact_per_s)
