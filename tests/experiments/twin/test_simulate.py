"""The simulator against values worked out by hand, and its own exact laws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.twin.profile import EXACT, TINY_CPU, Profile
from experiments.twin.simulate import Core, Simulated, simulate
from gateway.limits import Limits, QueueMode, QueueOrder
from loadtests.planning import plan
from loadtests.planning.mix import Mix

STEP_S = 0.010


@dataclass(frozen=True)
class Planned:
    """An arrival."""

    due_s: float
    output_tokens: int
    prompt_tokens: int = 10
    think_s: float = 0.0
    after: tuple[int, ...] = ()


def lindley(arrivals: list[Planned], step_s: float) -> list[float]:
    """Ends of service of one server: start = max(arrival, free)."""
    free_s, ends = 0.0, []
    for arrival in arrivals:
        free_s = max(arrival.due_s, free_s) + arrival.output_tokens * step_s
        ends.append(free_s)
    return ends


def test_one_slot_is_a_single_server_queue() -> None:
    """With MAX_ACTIVE=1 and equal steps every E2E is Lindley's recursion, to rounding."""
    rng = np.random.default_rng(3)
    due_s = np.cumsum(rng.exponential(0.3, 400))
    arrivals = [Planned(float(t), int(n)) for t, n in zip(due_s, rng.integers(1, 50, 400), strict=True)]
    done = simulate(
        arrivals, EXACT, Limits(max_active=1, queue_max=1000, queue_timeout_s=1e6, request_timeout_s=1e6)
    )
    assert set(done.outcome) == {"ok"}
    np.testing.assert_allclose(done.last_s, lindley(arrivals, STEP_S), atol=1e-6)


def test_a_request_that_joins_a_batch_waits_for_the_running_step() -> None:
    """The second request, 3 ms into a step, gets its first token 17 ms later; delays outside the steps
    are added.
    """
    profile = EXACT.model_copy(update={"ingest_s": 0.001, "egress_s": 0.002})
    done = simulate([Planned(0.0, 10), Planned(0.013, 2)], profile, Limits(max_active=2))
    # Steps begin at 1, 11, 21 ms …; the second reaches the engine at 14 ms.
    assert done.first_s.tolist() == pytest.approx([0.013, 0.033])
    assert done.last_s.tolist() == pytest.approx([0.103, 0.043])


def test_rejections_and_queue_timeouts() -> None:
    """One slot, one place in the queue, 100 ms of patience: served, expired, rejected as full; then free
    again.
    """
    arrivals = [Planned(0.0, 30), Planned(0.05, 5), Planned(0.06, 5), Planned(0.16, 2)]
    done = simulate(arrivals, EXACT, Limits(max_active=1, queue_max=1, queue_timeout_s=0.1))
    assert done.outcome == ("ok", "queue_timeout", "rejected_full", "queue_timeout")
    arrivals[3] = Planned(0.25, 2)
    done = simulate(arrivals, EXACT, Limits(max_active=1, queue_max=1, queue_timeout_s=0.1))
    assert done.outcome[3] == "ok"
    assert done.last_s[3] == pytest.approx(0.32)


def test_reject_mode_has_no_queue() -> None:
    """Without a free slot the answer is no."""
    limits = Limits(max_active=1, queue_mode=QueueMode.REJECT)
    assert simulate([Planned(0, 5), Planned(0.01, 5)], EXACT, limits).outcome == ("ok", "rejected_mode")


def test_the_request_timeout_frees_slot_and_batch() -> None:
    """A request that runs too long is ended at its timeout, and the next one starts then."""
    limits = Limits(max_active=1, queue_timeout_s=0.5, request_timeout_s=0.5)
    done = simulate([Planned(0.0, 1000), Planned(0.3, 2)], EXACT, limits)
    assert done.outcome == ("upstream_timeout", "ok")
    assert done.granted_s[1] == pytest.approx(0.5)
    assert done.last_s[1] == pytest.approx(0.52)


def test_a_request_may_end_on_its_way_to_the_engine() -> None:
    """A deadline between the grant and the engine's queue: the engine never sees it, the next one starts."""
    profile = EXACT.model_copy(update={"ingest_s": 0.020})
    limits = Limits(max_active=1, queue_timeout_s=0.5, request_timeout_s=0.5)
    done = simulate([Planned(0.0, 47), Planned(0.0, 5), Planned(0.3, 3)], profile, limits)
    assert done.outcome == ("ok", "upstream_timeout", "ok")
    assert done.granted_s.tolist() == pytest.approx([0.0, 0.49, 0.50])
    assert math.isnan(done.first_s[1])
    assert done.last_s[2] == pytest.approx(0.55)
    assert done.steps == 47 + 3


@pytest.mark.parametrize("timeout_s", [0.5, 1.0, 3.0])
def test_a_queue_timeout_as_long_as_the_request_timeout_plays_to_the_end(timeout_s: float) -> None:
    """Grants just before the deadline are common there; slots are held from the grant to the end."""
    arrivals = plan.make("burst", 20.0, 0, 60, 4, mix=Mix.fixed(60, 10)).arrivals
    limits = Limits(max_active=2, queue_timeout_s=timeout_s, request_timeout_s=timeout_s)
    profile = TINY_CPU.model_copy(update={"ingest_s": 0.02})
    done = simulate(arrivals, profile, limits)
    late = np.array([outcome == "upstream_timeout" for outcome in done.outcome])
    assert np.any(late & (done.due_s + timeout_s - done.granted_s < profile.ingest_s))
    held_s = np.nansum(done.last_s - done.granted_s) + np.sum((done.due_s + timeout_s - done.granted_s)[late])
    assert done.active_seconds == pytest.approx(held_s, rel=1e-9)


def test_last_come_first_served() -> None:
    """QUEUE_ORDER=lifo lets the newest waiter go first."""
    arrivals = [Planned(0.0, 10), Planned(0.01, 1), Planned(0.02, 1)]
    done = simulate(arrivals, EXACT, Limits(max_active=1, queue_order=QueueOrder.LIFO))
    assert done.granted_s.tolist() == pytest.approx([0.0, 0.11, 0.10])


def test_the_api_servers_work_makes_steps_longer() -> None:
    """On a shared core an arrival puts off the end of the running step, and an end that of the next one; an
    idle engine is not put off.
    """
    profile = EXACT.model_copy(update={"ingest_s": 0.001, "arrival_work_s": 0.004, "end_work_s": 0.002})
    done = simulate([Planned(0.0, 10), Planned(0.013, 2)], profile, Limits(max_active=2))
    # Steps end at 11, 25 (the arrival), 35 (its prompt), 45 (its end), 57, 67 … ms.
    assert done.first_s.tolist() == pytest.approx([0.011, 0.035])
    assert done.last_s.tolist() == pytest.approx([0.107, 0.045])
    assert done.busy_s == pytest.approx(0.106)


@pytest.mark.parametrize("work_s", [0.0, 0.003])
@pytest.mark.parametrize("max_active", [1, 4, 32])
def test_skipping_ahead_changes_nothing(
    max_active: int, work_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run with every step walked one by one ends at the same times."""
    arrivals = plan.make("burst", 4.0, 0, 60, 5, Mix.fixed(80, 40)).arrivals
    limits = Limits(max_active=max_active, queue_max=20, queue_timeout_s=2)
    profile = TINY_CPU.model_copy(
        update={
            "per_kv_token_s": 1e-6,
            "arrival_work_s": work_s,
            "end_work_s": work_s / 2,
            "num_gpu_blocks": 80,
            "block_size": 16,
        }
    )
    skipped = simulate(arrivals, profile, limits, core=Core.REFERENCE)
    monkeypatch.setattr("experiments.twin.scheduler.Scheduler.steps_ahead", lambda _self: 1)
    walked = simulate(arrivals, profile, limits, core=Core.REFERENCE)
    assert skipped.outcome == walked.outcome
    assert skipped.steps == walked.steps
    for name in ("first_s", "last_s", "granted_s"):
        np.testing.assert_allclose(getattr(skipped, name), getattr(walked, name), atol=1e-6)


def test_littles_law_holds_exactly() -> None:
    """∫active dt is the sum of the times that slots were held; ∫queue dt the sum of all waits."""
    arrivals = plan.make("burst", 5.0, 0, 120, 2, Mix.fixed(60, 30)).arrivals
    done = simulate(arrivals, TINY_CPU, Limits(max_active=4, queue_max=30, queue_timeout_s=3))
    assert len(set(done.outcome)) > 1
    held_s = np.nansum(done.last_s - done.granted_s)
    waits_s = np.nansum(done.granted_s - done.due_s) + 3 * done.outcome.count("queue_timeout")
    assert done.active_seconds == pytest.approx(held_s, rel=1e-9)
    assert done.queue_seconds == pytest.approx(waits_s, rel=1e-9)


def test_a_closed_loop_has_never_more_than_its_users() -> None:
    """Three users on a fast gateway: three in flight, and the next request follows the answer after its
    think time.
    """
    arrivals = [Planned(0, 10, think_s=0.05) for _ in range(30)]
    done = simulate(arrivals, EXACT, Limits(max_active=10), users=3)
    assert set(done.outcome) == {"ok"}
    starts, ends = np.sort(done.due_s), np.sort(done.last_s)
    assert all(np.sum(starts <= t) - np.sum(ends <= t) <= 3 for t in starts)
    np.testing.assert_allclose(starts[3:], ends[:-3] + 0.05)


def run_twice() -> tuple[Simulated, Simulated]:
    """The same simulation two times."""
    arrivals = plan.make("sustained", 4.0, 0, 30, 8).arrivals
    one, two = (simulate(arrivals, TINY_CPU, Limits(max_active=8)) for _ in range(2))
    return one, two


def test_it_is_deterministic() -> None:
    """Same plan, same profile: the same bits."""
    one, two = run_twice()
    assert one.last_s.tobytes() == two.last_s.tobytes()


def test_a_request_that_cannot_fit_raises() -> None:
    """A mistake in the plan is not silently dropped."""
    small: Profile = EXACT.model_copy(update={"max_model_len": 50})
    with pytest.raises(ValueError, match="never fit"):
        simulate([Planned(0, 60)], small, Limits())
    assert math.isnan(simulate([Planned(0, 5)], small, Limits(), until_s=0).last_s[0])
