"""The saturation verdict against a simulated truth: right away from capacity, never "stable" above it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from experiments.stats.all_slots_busy import all_slots_busy
from experiments.stats.rate_by_concurrency import rate_by_concurrency
from experiments.stats.saturation import Window, judge
from gateway.limits import Limits, QueueMode
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
# Reject mode, and QUEUE_MAX=0 in queue mode, which is the same to the admission core.
REJECTING = [(Machine(), 8, 0, 1.0, 400.0), (BATCHING, 16, 0, 1.0, 400.0), (Machine(), 2, 0, 1.0, 800.0)]


def _window(seen: Seen, slots: int, queue: int, window_s: float) -> Window:
    kept = seen.due_s >= WARM_UP_S
    span = slice(int(WARM_UP_S), int(WARM_UP_S + window_s))
    active, queued = seen.active[span], seen.queued[span]
    served = ~np.isnan(seen.end_s)
    span_s = (WARM_UP_S, WARM_UP_S + window_s)
    house = all_slots_busy(seen.granted_s[served], seen.end_s[served], slots, span_s)
    curve = rate_by_concurrency(seen.granted_s[served], seen.end_s[served], slots, span_s)
    return Window(
        offered=int(kept.sum()), shed=int(seen.shed[kept].sum()), active=active,
        limit=np.full(len(active), float(slots)), queued=queued, queue_limit=queue, engine_running=NOTHING,
        engine_waiting=NOTHING, kv_use=NOTHING, engine_max_running=None, client_saturated=False,
        all_slots_busy=house, curve=curve, window_s=window_s,
    )  # fmt: skip


def _verdicts(case: tuple[Machine, int, int, float, float], load: float, repetitions: int) -> Counter[str]:
    machine, slots, queue, timeout_s, window_s = case
    rate = load * machine.capacity_per_s(slots)
    mode = QueueMode.QUEUE if queue else QueueMode.REJECT
    limits = Limits(slots, mode, queue, timeout_s)
    found: Counter[str] = Counter()
    for seed in range(repetitions):
        trace = poisson(np.random.default_rng([17, seed]), rate, WARM_UP_S + window_s, machine, shape=4.0)
        found[judge(_window(serve(trace, limits, machine), slots, queue, window_s)).verdict] += 1
    return found


SHORT = [QUEUES[0], QUEUES[4], REJECTING[0], REJECTING[1]]


@pytest.mark.parametrize("case", SHORT, ids=["queue", "batching", "reject", "reject-batching"])
def test_the_verdict_is_right_on_either_side_of_capacity(
    case: tuple[Machine, int, int, float, float],
) -> None:
    """Short form: 8 windows at 0.85 and 8 at 1.1 of capacity."""
    assert _verdicts(case, 0.85, 8)["stable"] >= 7
    assert _verdicts(case, 1.1, 8)["saturated"] >= 7


def test_rejections_below_capacity_are_erlangs_loss_and_no_overload() -> None:
    """Eight slots without a queue at 0.85: one request in six is turned away, as Erlang B says, and the cell
    is stable."""
    case = REJECTING[0]
    trace = poisson(np.random.default_rng(3), 0.85 * 8, WARM_UP_S + 400.0, case[0], shape=4.0)
    found = judge(_window(serve(trace, Limits(max_active=8, queue_max=0), case[0]), 8, 0, 400.0))
    assert (found.verdict, found.binding) == ("stable", "slots")
    assert found.rejected_ratio is not None
    assert found.erlang_loss_ratio == pytest.approx(found.rejected_ratio, abs=0.03)


@pytest.mark.parametrize(("slots", "binding"), [(4, "slots"), (64, "compute")])
def test_what_binds_is_told_by_what_the_engine_could_do(slots: int, binding: str) -> None:
    """An engine that 64 requests bring near its limit: four slots leave most of it unused, 64 do not."""
    machine = Machine(alpha_s=0.005, beta_s=0.002)
    rate = 1.3 * machine.capacity_per_s(slots)
    trace = poisson(np.random.default_rng([4, slots]), rate, WARM_UP_S + 60.0, machine, shape=4.0)
    seen = serve(trace, Limits(slots, QueueMode.QUEUE, 32, 2.0), machine)
    ended = (seen.end_s >= WARM_UP_S) & (seen.end_s < WARM_UP_S + 60.0)
    window = replace(
        _window(seen, slots, 32, 60.0),
        served_per_s=float(ended.sum()) / 60.0,
        capacity_per_s=machine.capacity_per_s(64),
    )
    found = judge(window)
    assert (found.verdict, found.binding) == ("saturated", binding)


@pytest.mark.prove
@pytest.mark.parametrize("load", [0.5, 0.85, 1.1, 1.3])
@pytest.mark.parametrize("case", [*QUEUES, *REJECTING], ids=str)
def test_the_verdict_is_right_95_times_in_a_hundred(
    case: tuple[Machine, int, int, float, float], load: float
) -> None:
    """200 windows each at 0.85 and 1.1, 100 further away; never "stable" at 1.1 and above."""
    repetitions = 200 if load in (0.85, 1.1) else 100
    found = _verdicts(case, load, repetitions)
    print(f"{case[1:]} batching={case[0].beta_s > 0} load {load}: {dict(found)}")
    assert found["stable" if load < 1 else "saturated"] >= 0.95 * repetitions
    assert load < 1 or found["stable"] == 0
