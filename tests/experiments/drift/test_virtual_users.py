"""What users feel of the probes where it can be seen: on a simulated engine near its capacity, whose users'
goodput is far from whole. The arrivals are the same with and without."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.drift.prober import REQUESTS, SHARE
from experiments.twin.capacity import Planned
from experiments.twin.simulate import simulate
from experiments.twin.simulated import OK
from loadtests.planning import plan as plans
from tests.experiments.drift.virtual_watch import EVERY_S, OUTPUT, PROMPT, VirtualService, draw
from tests.experiments.twin.nonlinear_engine import engine

TRACES = 6
LOAD = 0.95
"""Of capacity."""


def _played(service: VirtualService, trace: int, probes: int) -> tuple[float, float, float]:
    """Of a round: users' goodput per second, their slot-seconds, and those of the probes. Good is a request
    whose time per token is at most 2.4 times that of an idle engine."""
    scenario = service.scenario
    plan = plans.make("sustained", LOAD * service.capacity_per_s, 0.0, EVERY_S, trace, mix=scenario.mix)
    users = [Planned(a.due_s, a.prompt_tokens, a.output_tokens) for a in plan.arrivals]
    asked = [Planned(EVERY_S * (k + 0.5) / max(1, probes), PROMPT, OUTPUT) for k in range(probes)]
    places = np.argsort([one.due_s for one in (*users, *asked)], kind="stable")
    both = [(*users, *asked)[place] for place in places]
    done = simulate(both, engine(scenario.physics, scenario.bounds, seed=trace), service.limits)
    mine = places >= len(users)
    held_s = np.nan_to_num(done.last_s - done.granted_s)
    tokens = np.array([one.output_tokens for one in both])
    tpot_s = (done.last_s - done.first_s) / np.maximum(tokens - 1, 1)
    bound_s = 2.4 * scenario.physics.weights_s
    good = (done.codes == OK) & ~mine & (tpot_s <= bound_s)
    return float(good.sum()) / EVERY_S, float(held_s[~mine].sum()), float(held_s[mine].sum())


@pytest.mark.prove
def test_the_goodput_of_users_is_the_same_within_one_per_cent() -> None:
    """With the eight probes of a round; they take far less than their budget."""
    changes, shares, attained = [], [], []
    for seed in (50, 51, 52):
        service = draw(seed)
        for trace in range(TRACES):
            without, _, _ = _played(service, trace, 0)
            with_probes, users_s, probes_s = _played(service, trace, REQUESTS)
            changes.append(with_probes / without - 1)
            shares.append(probes_s / users_s)
            attained.append(without / (LOAD * service.capacity_per_s))
    print(f"goodput {np.mean(changes):+.3%}, at most {np.max(np.abs(changes)):.2%} in a round")
    print(f"probes {np.mean(shares):.2%} of users' slot-seconds; attained without {np.mean(attained):.0%}")
    assert abs(np.mean(changes)) <= 0.01
    assert max(shares) <= SHARE
