"""Slots in tokens beside slots of requests, on an engine whose KV cache is what is scarce."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import twin_speed
from experiments.twin.capacity import Planned
from experiments.twin.simulate import Offered, Player
from experiments.twin.simulated import OK
from gateway.limits import Limits

KV_TOKENS = 16_000
ENGINE = twin_speed.ENGINE.model_copy(
    update={
        "source": f"{twin_speed.ENGINE.source}, a KV cache of {KV_TOKENS:,} tokens",
        "num_gpu_blocks": KV_TOKENS // twin_speed.ENGINE.block_size,
    }
)
MIXED = (((100, 100), 0.9), ((4000, 400), 0.1))
EQUAL = (((500, 140), 1.0),)
Lengths = Sequence[tuple[tuple[int, int], float]]
TTFT_S, TPOT_S = 2.0, 0.03
LOAD = 1.1  # of the most that a fixed number of slots completes
ACTIVES, QUEUES = (4, 6, 8, 12, 16, 20, 24, 25, 26, 28, 32, 48, 64, 128), (8, 64)
WARM_UP_S, LENGTH_S = 20.0, 120.0


@dataclass(frozen=True, slots=True)
class Slots:
    """Means over the traces: goodput per second of slots in tokens, and of the best fixed number of them,
    which it is; preemptions of either, and of as many slots as tokens had at most at once.
    """

    tokens_per_s: float
    fixed_per_s: float
    fixed: int
    tokens_preempt: float
    fixed_preempt: float
    as_many: int
    as_many_preempt: float

    @property
    def gain(self) -> float:
        """Goodput by tokens over that of the best fixed number."""
        return self.tokens_per_s / self.fixed_per_s


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one run."""

    good_per_s: float
    done_per_s: float
    preemptions: int
    peak_active: int


def run(lengths: Lengths, traces: int, player: Player) -> Slots:
    """All settings on the same traces. Good: first token within 2 s, then 30 ms a token."""
    full = _trace(lengths, 400.0, 0)
    capacity_per_s = max(_play(full, active, 64, None, player).done_per_s for active in ACTIVES)
    offered = [_trace(lengths, LOAD * capacity_per_s, seed) for seed in range(1, traces + 1)]
    grid = {
        (active, queue): [_play(each, active, queue, None, player) for each in offered]
        for active, queue in itertools.product(ACTIVES, QUEUES)
    }
    best = max(grid, key=lambda setting: _good(grid[setting]))
    by_tokens = max(
        ([_play(each, 256, queue, KV_TOKENS, player) for each in offered] for queue in QUEUES), key=_good
    )
    most = max(each.peak_active for each in by_tokens)
    as_many = [_play(each, most, best[1], None, player) for each in offered]
    return Slots(
        _good(by_tokens),
        _good(grid[best]),
        best[0],
        _preempted(by_tokens),
        _preempted(grid[best]),
        most,
        _preempted(as_many),
    )


def _play(arrivals: list[Planned], active: int, queue: int, budget: float | None, player: Player) -> Seen:
    limits = Limits(max_active=active, queue_max=queue, queue_timeout_s=TTFT_S)
    done = player.simulate(Offered(arrivals, budget=budget), ENGINE, limits)
    tokens = np.array([each.output_tokens for each in arrivals])
    ok = (done.codes == OK) & (done.due_s >= WARM_UP_S)
    tpot_s = (done.last_s - done.first_s) / (tokens - 1)
    good = ok & (done.first_s - done.due_s <= TTFT_S) & (tpot_s <= TPOT_S)
    span_s = LENGTH_S - WARM_UP_S
    return Seen(good.sum() / span_s, ok.sum() / span_s, done.preemptions, done.peak_active)


def _trace(lengths: Lengths, per_s: float, seed: int) -> list[Planned]:
    rng = np.random.default_rng(seed)
    due_s = np.cumsum(rng.exponential(1 / per_s, int(per_s * LENGTH_S)))
    which = rng.choice(len(lengths), len(due_s), p=[share for _, share in lengths])
    return [Planned(float(at), *lengths[k][0]) for at, k in zip(due_s, which, strict=True) if at < LENGTH_S]


def _good(runs: Sequence[Seen]) -> float:
    return float(np.mean([each.good_per_s for each in runs]))


def _preempted(runs: Sequence[Seen]) -> float:
    return float(np.mean([each.preemptions for each in runs]))
