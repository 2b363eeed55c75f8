"""The core must reproduce exactly solved queues: within 3 standard errors + 0.5
% of the closed form, fixed seeds.

The short form runs with every test run; the long one, with ten times the arrivals, is marked `prove`.
"""

import math

import pytest

from gateway.limits import Limits, QueueMode
from tests.gateway.queueing import LAWS, Exact, erlang_b, mean_and_error, mmcq, simulate

SHORT = (20, 4_000)
LONG = pytest.param((40, 40_000), marks=pytest.mark.prove)
SIZES = pytest.mark.parametrize("size", [SHORT, LONG], ids=["short", "long"])


def check(limits: Limits, lam: float, law: str, exact: Exact, size: tuple[int, int]) -> None:
    runs, arrivals = size
    estimates = [simulate(limits, lam, LAWS[law], arrivals, seed) for seed in range(1, runs + 1)]
    for name in ("blocked", "timed_out", "queue_time"):
        mean, error = mean_and_error([getattr(estimate, name) for estimate in estimates])
        wanted = getattr(exact, name)
        print(f"{law} {limits.max_active}/{limits.queue_max} {name}: {mean:.5f} ± {error:.5f}, {wanted:.5f}")
        # The last term is for events so rare that the runs may hold none: three events more or less.
        assert abs(mean - wanted) <= 3 * error + 0.005 * wanted + 3 / (runs * arrivals), name


def test_the_formulas_give_the_published_figures() -> None:
    """Textbook values and our notes' own table, so that the core is not checked against a slip of the pen."""
    assert erlang_b(2, 1.0) == pytest.approx(0.2)
    assert erlang_b(10, 5.0) == pytest.approx(0.018385, abs=1e-6)
    assert mmcq(4, 8, 3.8).blocked == pytest.approx(0.06748, abs=1e-5)
    assert mmcq(4, 8, 3.8).queue_time == pytest.approx(0.7768, abs=1e-4)
    assert mmcq(8, 16, 9.6).blocked == pytest.approx(0.17109, abs=1e-5)
    assert mmcq(4, 16, 4.8, 1.0).timed_out == pytest.approx(0.22322, abs=1e-5)
    assert mmcq(4, 16, 4.8, 1.0).queue_time == pytest.approx(0.5711, abs=1e-4)
    assert mmcq(8, 32, 12.0, 3.0).blocked == pytest.approx(0.146083, abs=1e-6)
    assert mmcq(8, 16, 7.6, math.inf).blocked == pytest.approx(mmcq(8, 16, 7.6, 1e3).blocked, rel=1e-9)


@SIZES
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("mode", QueueMode)
def test_without_a_queue_it_is_erlang_b(law: str, mode: QueueMode, size: tuple[int, int]) -> None:
    """No queue, or reject mode: the share refused is Erlang's, whatever the law of service."""
    limits = Limits(max_active=4, queue_max=0 if mode is QueueMode.QUEUE else 50, queue_mode=mode)
    check(limits, 3.8, law, Exact(erlang_b(4, 3.8), 0.0, 0.0), size)


@SIZES
@pytest.mark.parametrize(("c", "q", "rho"), [(1, 4, 0.8), (4, 8, 0.95), (8, 16, 1.2)])
def test_with_a_queue_it_is_mmck(c: int, q: int, rho: float, size: tuple[int, int]) -> None:
    """A bounded queue and boundless patience."""
    limits = Limits(max_active=c, queue_max=q, queue_timeout_s=1e9)
    check(limits, rho * c, "exponential", mmcq(c, q, rho * c), size)


@SIZES
@pytest.mark.parametrize(
    ("c", "q", "rho", "tau"), [(2, 8, 0.8, 1.0), (4, 16, 1.2, 1.0), (8, 16, 1.0, 0.25), (8, 32, 1.5, 3.0)]
)
def test_with_a_queue_timeout_it_is_movaghar(
    c: int, q: int, rho: float, tau: float, size: tuple[int, int]
) -> None:
    """QUEUE_TIMEOUT_S: every waiter has the same patience and frees its place when it is over."""
    limits = Limits(max_active=c, queue_max=q, queue_timeout_s=tau)
    check(limits, rho * c, "exponential", mmcq(c, q, rho * c, tau), size)
