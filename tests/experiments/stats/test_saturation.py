"""The verdict for a system with a bounded queue."""

import numpy as np
import pytest

from experiments.stats.backlog import backlog_drift
from experiments.stats.saturation import Window, judge


def _window(**changes: object) -> Window:
    rng = np.random.default_rng(0)
    steady = rng.integers(1, 4, 40).astype(float)
    base: dict[str, object] = {
        "offered": 300,
        "shed": 0,
        "active": steady,
        "limit": np.full(40, 8.0),
        "queued": np.zeros(40),
        "queue_limit": 10,
        "engine_running": steady,
        "engine_waiting": np.zeros(40),
        "kv_use": np.full(40, 0.1),
        "engine_max_running": 16,
        "client_saturated": False,
    }
    return Window(**{**base, **changes})  # type: ignore[arg-type]  # keys are checked by Window itself


def test_a_quiet_cell_is_stable_and_nothing_binds() -> None:
    """Nothing shed, nothing growing."""
    found = judge(_window())
    assert (found.verdict, found.binding) == ("stable", None)


def test_shedding_is_saturation_and_the_full_slots_bind() -> None:
    """A bounded queue cannot grow, so its rejections are the sign."""
    found = judge(_window(shed=60, active=np.full(40, 8.0)))
    assert (found.verdict, found.binding) == ("saturated", "slots")


def test_a_growing_backlog_is_saturation_before_anything_is_shed() -> None:
    """A long queue hides overload for as long as it fills."""
    found = judge(_window(active=np.full(40, 8.0), queued=np.arange(40.0), queue_limit=1000))
    assert found.verdict == "saturated"


def test_few_requests_cannot_tell() -> None:
    """One of thirty shed is neither proof nor its opposite."""
    assert judge(_window(offered=30, shed=1)).verdict == "cant_tell"


def test_the_engine_binds_before_the_slots() -> None:
    """All slots are busy, but so is every place of the engine's batch: more slots would not help."""
    found = judge(
        _window(shed=60, active=np.full(40, 32.0), limit=np.full(40, 32.0), engine_running=np.full(40, 16.0))
    )
    assert found.binding == "engine_batch"


_SLOTS_FULL = {"shed": 60, "active": np.full(40, 8.0)}


@pytest.mark.parametrize(
    ("binding", "changes"),
    [
        ("client", {"client_saturated": True, "kv_use": np.full(40, 0.99)}),
        ("kv_cache", {"kv_use": np.full(40, 0.99), "engine_waiting": np.full(40, 5.0)}),
        ("engine_batch", {"engine_running": np.full(40, 16.0)}),
        ("engine_batch", {"engine_waiting": np.full(40, 3.0)}),
        ("compute", {"served_per_s": 9.5, "capacity_per_s": 10.0}),
        ("slots", {"served_per_s": 5.0, "capacity_per_s": 10.0}),
        ("queue", {"active": np.full(40, 5.0), "offered": 600, "shed": 270}),
        ("slots", {"active": np.full(40, 5.0), "offered": 600, "shed": 270, "queue_limit": 0}),
    ],
)
def test_the_innermost_full_resource_is_named(binding: str, changes: dict[str, object]) -> None:
    """Each of the six: more of anything outside it would not help. Without a queue none can be too short."""
    found = judge(_window(**{**_SLOTS_FULL, **changes}))
    assert (found.verdict, found.binding) == ("saturated", binding)


def test_bursts_that_a_stable_system_sheds_bind_the_room_for_waiting() -> None:
    """A queue that is too short, or the slots where there is no queue."""
    bursts = {"offered": 1000, "shed": 40}
    assert (judge(_window(**bursts)).verdict, judge(_window(**bursts)).binding) == ("stable", "queue")
    assert judge(_window(**bursts, queue_limit=0)).binding == "slots"


def test_a_stationary_backlog_seldom_looks_like_a_growing_one() -> None:
    """One-sided 1 %: of 200 autocorrelated series at most a few."""
    alarms = 0
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(size=240)
        series = np.convolve(noise, np.ones(5) / 5, mode="valid")
        p_value = backlog_drift(series)
        assert p_value is not None
        alarms += p_value < 0.01
    assert alarms <= 8
