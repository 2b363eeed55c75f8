"""One tenant floods the engine, another one sends what it always sends: what is left to that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.twin.capacity import Planned
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import Offered, Player, Simulated
from experiments.twin.simulated import OK, Sender
from gateway.lane import NO_LANES, Lane, Lanes, PriorityClass
from gateway.limits import Limits, QueueOrder

EQUAL = Lanes((PriorityClass("c"),), (Lane("A", "c"), Lane("B", "c")))
FLOOD, OWN = 10.0, 0.35  # offered by A and B, in capacities
TTFT_S = 5.0
WARM_UP_S, LENGTH_S = 30.0, 240.0
SLOTS = 16
WAIT_S = 2.0  # the queue is as long as the engine serves in this time


@dataclass(frozen=True, slots=True)
class Flood:
    """Of one trace: goodput per second of B alone, beside the flood with lanes and without, and of both with
    lanes and without.
    """

    b_alone: float
    b_beside: float
    b_fifo: float
    both: float
    both_fifo: float

    @property
    def kept(self) -> float:
        """B's goodput beside the flood, of what it has alone."""
        return self.b_beside / self.b_alone

    @property
    def kept_fifo(self) -> float:
        """The same without lanes."""
        return self.b_fifo / self.b_alone

    @property
    def total(self) -> float:
        """What lanes leave of the goodput of all."""
        return self.both / self.both_fifo


def run(seed: int, player: Player) -> Flood:
    """One trace, four times through the twin. Good is an answer whose first token came within 5 s."""
    capacity_per_s = capacity(player)
    rng = np.random.default_rng(seed)
    of_a, of_b = (_arrivals(rng, part * capacity_per_s) for part in (FLOOD, OWN))
    both = sorted(
        [(each, "A/c") for each in of_a] + [(each, "B/c") for each in of_b], key=lambda p: p[0].due_s
    )
    lanes = [name for _, name in both]
    limits = _limits(capacity_per_s)

    def goodput(arrivals: Sequence[Planned], names: list[str], shared: Lanes) -> dict[str, float]:
        offered = Offered(arrivals, [Sender(name) for name in names], shared)
        return _goodput(player.simulate(offered, TINY_CPU, limits), names)

    alone = goodput(of_b, ["B/c"] * len(of_b), EQUAL)
    fair = goodput([each for each, _ in both], lanes, EQUAL)
    fifo = goodput([each for each, _ in both], lanes, NO_LANES)
    return Flood(alone["B/c"], fair["B/c"], fifo["B/c"], sum(fair.values()), sum(fifo.values()))


def capacity(player: Player) -> float:
    """Requests per second that the engine completes when always enough of them wait."""
    arrivals = _arrivals(np.random.default_rng(0), 50.0)
    limits = Limits(max_active=SLOTS, queue_max=100, queue_timeout_s=1e3)
    done = player.simulate(Offered(arrivals), TINY_CPU, limits)
    inside = (done.last_s >= WARM_UP_S) & (done.last_s < LENGTH_S)
    return float(inside.sum()) / (LENGTH_S - WARM_UP_S)


def _limits(capacity_per_s: float) -> Limits:
    return Limits(
        max_active=SLOTS,
        queue_max=round(WAIT_S * capacity_per_s),
        queue_timeout_s=30.0,
        queue_order=QueueOrder.FAIR,  # without lanes: FIFO
    )


def _arrivals(rng: np.random.Generator, per_s: float) -> list[Planned]:
    due_s = np.cumsum(rng.exponential(1 / per_s, int(per_s * LENGTH_S)))
    prompts, outputs = rng.integers(20, 200, len(due_s)), rng.integers(10, 100, len(due_s))
    rows = zip(due_s.tolist(), prompts.tolist(), outputs.tolist(), strict=True)
    return [Planned(*row) for row in rows if row[0] < LENGTH_S]


def _goodput(done: Simulated, names: Sequence[str]) -> dict[str, float]:
    inside = (done.due_s >= WARM_UP_S) & (done.due_s < LENGTH_S) & (done.codes == OK)
    good = inside & (done.first_s - done.due_s <= TTFT_S)
    lanes = np.array(names)
    return {name: float(good[lanes == name].sum()) / (LENGTH_S - WARM_UP_S) for name in set(names)}
