"""The saturation verdict against a simulated truth: right away from capacity, never "stable" above it."""

from collections import Counter

import numpy as np
import pytest

from experiments.stats.full_house import full_house
from experiments.stats.saturation import Window, judge
from gateway.limits import Limits
from tests.experiments.stats.simulated_truth import Machine, Seen, poisson, serve

WARM_UP_S = 30.0
NOTHING = np.array([])
BATCHING = Machine(alpha_s=0.02, beta_s=0.002)
# Engine, slots, queue, timeout, window. With a queue in front of it, short or long, with or without timeouts.
QUEUES = [
    (Machine(), 8, 32, 1.0, 200.0),
    (Machine(), 8, 8, 0.5, 200.0),
    (Machine(), 8, 1000, 1000.0, 200.0),
    (Machine(), 2, 8, 1.0, 800.0),
    (BATCHING, 16, 64, 1.0, 400.0),
    (BATCHING, 16, 1000, 1000.0, 400.0),
]
REJECTING = [(Machine(), 8, 0, 1.0, 400.0), (BATCHING, 16, 0, 1.0, 400.0)]


def _window(seen: Seen, slots: int, queue: int, window_s: float) -> Window:
    kept = seen.due_s >= WARM_UP_S
    span = slice(int(WARM_UP_S), int(WARM_UP_S + window_s))
    active, queued = seen.active[span], seen.queued[span]
    served = ~np.isnan(seen.end_s)
    house = full_house(seen.first_s[served], seen.end_s[served], slots, (WARM_UP_S, WARM_UP_S + window_s))
    return Window(
        offered=int(kept.sum()), shed=int(seen.shed[kept].sum()), active=active,
        limit=np.full(len(active), float(slots)), queued=queued, queue_limit=queue, engine_running=NOTHING,
        engine_waiting=NOTHING, kv_use=NOTHING, engine_max_running=None, client_saturated=False,
        full_house=house,
    )  # fmt: skip


def _verdicts(case: tuple[Machine, int, int, float, float], load: float, repetitions: int) -> Counter[str]:
    machine, slots, queue, timeout_s, window_s = case
    rate = load * machine.capacity_per_s(slots)
    limits = Limits(max_active=slots, queue_max=queue, queue_timeout_s=timeout_s)
    found: Counter[str] = Counter()
    for seed in range(repetitions):
        trace = poisson(np.random.default_rng([17, seed]), rate, WARM_UP_S + window_s, machine, shape=4.0)
        found[judge(_window(serve(trace, limits, machine), slots, queue, window_s)).verdict] += 1
    return found


@pytest.mark.parametrize("case", [QUEUES[0], QUEUES[2], QUEUES[4]], ids=["queue", "endless", "batching"])
def test_the_verdict_is_right_on_either_side_of_capacity(
    case: tuple[Machine, int, int, float, float],
) -> None:
    """Short form: 12 windows at 0.85 and 12 at 1.1 of capacity."""
    assert _verdicts(case, 0.85, 12)["stable"] >= 11
    assert _verdicts(case, 1.1, 12)["saturated"] >= 11


def test_without_a_queue_overload_is_not_called_stable() -> None:
    """A house that turns everybody away at the door is seldom full, also above capacity."""
    assert _verdicts(REJECTING[1], 1.3, 12)["stable"] == 0


@pytest.mark.prove
@pytest.mark.parametrize("load", [0.5, 0.7, 0.85, 1.1, 1.3])
@pytest.mark.parametrize("case", QUEUES, ids=str)
def test_the_verdict_is_right_95_times_in_a_hundred(
    case: tuple[Machine, int, int, float, float], load: float
) -> None:
    """200 windows each; never "stable" at 1.1 and above."""
    found = _verdicts(case, load, 200)
    print(f"{case[1:]} batching={case[0].beta_s > 0} load {load}: {dict(found)}")
    assert found["stable" if load < 1 else "saturated"] >= 190
    assert load < 1 or found["stable"] == 0


@pytest.mark.prove
@pytest.mark.parametrize("load", [0.5, 0.7, 0.85, 1.1, 1.3])
@pytest.mark.parametrize("case", REJECTING, ids=str)
def test_without_a_queue_the_verdict_is_seldom_wrong(
    case: tuple[Machine, int, int, float, float], load: float
) -> None:
    """Without a queue there is less to see: "can't tell" is allowed, the wrong word in 2 % of windows at
    most."""
    found = _verdicts(case, load, 200)
    print(f"{case[1:]} batching={case[0].beta_s > 0} load {load}: {dict(found)}")
    assert found["saturated" if load < 1 else "stable"] <= 4
