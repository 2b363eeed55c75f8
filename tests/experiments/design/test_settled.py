"""A cell that began as late as its setting allows has settled: held against engines in virtual time."""

import numpy as np
import numpy.typing as npt
import pytest

from experiments.design.probe import Probe
from experiments.design.settling import warm_up_s
from experiments.twin.profile import named
from experiments.twin.simulate import Player
from gateway.limits import Limits, QueueMode
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan

ENGINE = named("tiny-cpu")
OPEN = Limits(max_active=512, queue_max=1000)
RUNS = 80
REJECT = Limits(max_active=8, queue_mode=QueueMode.REJECT)
QUEUE = Limits(max_active=8, queue_max=8, queue_timeout_s=1.0)
WIDE = Limits(max_active=16, queue_max=100, queue_timeout_s=2.0)
LENGTHS = {"equal": Mix.fixed(64, 24), "lognormal": Mix("lognormal", prompt_tokens=64, output_tokens=24)}


def _probe(player: Player, mix: Mix) -> Probe:
    """The staircase, by closed loops."""
    loop = plans.make("constant", 100.0, 0.0, 12.0, 1, mix)
    rates = {}
    for users in (1, 4, 8, 16, 32):
        done = player.simulate(loop.arrivals, ENGINE, OPEN, users=users, until_s=20.0)
        rates[users] = float(((done.last_s >= 4.0) & (done.last_s < 20.0)).sum()) / 16.0
    best = max(rates.values())
    e2e_s = 1.0 / rates.pop(1)
    return Probe(0.05, 0.02, e2e_s, best, 16 / rates[16], 0.1, tuple(rates.items()))


def _in_flight(
    player: Player, plan: Plan, limits: Limits, at_s: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Requests at the gateway that were or are to be served, at each moment."""
    done = player.simulate(plan.arrivals, ENGINE, limits)
    served = np.isfinite(done.granted_s)
    begin_s, end_s = done.due_s[served], done.last_s[served]
    inside = (begin_s[:, None] <= at_s) & (at_s < end_s[:, None])
    return np.asarray(inside.sum(axis=0), dtype=float)


def _reached(load: float, limits: Limits, mix: Mix, part: float) -> tuple[float, float]:
    """The mean number in flight after `part` of the warm-up over its mean at later times, and by how much the
    two lie apart by chance (one standard error)."""
    player = Player()
    seen = _probe(player, mix)
    rate_per_s = load * seen.capacity_per_s
    sample = plans.make("sustained", rate_per_s, 0.0, 30.0, 1, mix)
    needed_s = min(30.0, warm_up_s(seen, limits, rate_per_s, [a.output_tokens for a in sample.arrivals]))
    at_s = np.concatenate([[part * needed_s], needed_s + np.linspace(4.0, 8.0, 9)])
    traces = [plans.make("sustained", rate_per_s, 0.0, needed_s + 8.1, 100 + run, mix) for run in range(RUNS)]
    counts = np.array([_in_flight(player, trace, limits, at_s) for trace in traces])
    level = float(counts[:, 1:].mean())
    return float(counts[:, 0].mean()) / level, float(counts[:, 0].std()) / RUNS**0.5 / level


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("limits", [REJECT, QUEUE, WIDE], ids=["reject", "queue", "wide"])
@pytest.mark.parametrize("load", [0.7, 1.2])
def test_the_mean_number_in_flight_is_at_its_level(load: float, limits: Limits, lengths: str) -> None:
    """At the end of the warm-up, over many traces, below capacity and above it, with answers of one length
    and of many."""
    reached, chance = _reached(load, limits, LENGTHS[lengths], 1.0)
    assert reached >= 0.95 - 3 * chance


def test_it_is_not_there_much_sooner() -> None:
    """At a third of the warm-up a third of the requests is missing: nothing is waited for in vain."""
    reached, chance = _reached(0.7, WIDE, LENGTHS["equal"], 1 / 3)
    assert reached <= 0.67 + 3 * chance
