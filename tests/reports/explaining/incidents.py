"""Sixteen kinds of trouble, each with magnitudes of its own at every draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from experiments.twin.profile import Profile
from experiments.twin.simulate import Player
from gateway.limits import Limits
from reports.explain.cause import Cause
from reports.explain.signal import Signal
from tests.reports.explaining.world import (
    Played,
    Traffic,
    World,
    joined,
    play,
    requests,
    slower,
    with_limits,
)

Rng = np.random.Generator


@dataclass
class Scene:
    """An ordinary production that has been played, and when something is to happen in it."""

    world: World
    rng: Rng
    traffic: Traffic
    played: Played
    begin_s: float
    end_s: float
    player: Player
    levels: dict[Signal, float] = field(default_factory=dict)
    """Signal → its level while it lasts; a factor for ENGINE_GAP and ENGINE_TTFT."""

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s

    @property
    def inside(self) -> np.ndarray:
        return (self.traffic.due_s >= self.begin_s) & (self.traffic.due_s < self.end_s)

    def lane(self) -> int:
        """Somebody; not the greatest of all, whose part is nothing unusual."""
        shares = np.array([share for _, share, _, _ in self.world.lanes])
        return int(self.rng.choice(np.argsort(shares)[:-1]))

    def fresh(
        self, count: int, lanes: np.ndarray | None = None, begin_s: float = -1, end_s: float = -1
    ) -> Traffic:
        """So many more requests while it lasts."""
        begin_s, end_s = (self.begin_s, self.end_s) if begin_s < 0 else (begin_s, end_s)
        due_s = np.sort(self.rng.uniform(begin_s, end_s, count))
        if lanes is None:
            shares = np.array([share for _, share, _, _ in self.world.lanes])
            lanes = self.rng.choice(len(shares), count, p=shares / shares.sum())
        return requests(self.world, self.rng, due_s, lanes)

    def play_whole(self, traffic: Traffic) -> None:
        """All of it again, on the ordinary engine."""
        self.traffic = traffic
        self.played = play(traffic, self.world.profile, self.world.limits, self.player)

    def play_inside(self, profile: Profile, limits: Limits) -> Played:
        """What came while it lasts, again, on another engine or under other limits."""
        lead = (self.traffic.due_s >= self.begin_s - 60) & (self.traffic.due_s < self.end_s)
        again = play(self.traffic.where(lead), profile, limits, self.player)
        inside = self.inside[lead]
        for name in ("outcome", "granted_s", "first_s", "last_s", "version"):
            column = getattr(self.played, name)
            if name == "outcome":
                column = column.astype(object)
            column[self.inside] = getattr(again, name)[inside]
            setattr(self.played, name, column)
        self.played.outcome = self.played.outcome.astype(str)
        return again


def tenant_flood(scene: Scene) -> None:
    count = int(scene.world.rate_per_s * scene.length_s * scene.rng.uniform(0.6, 1.8))
    scene.play_whole(scene.traffic.with_more(scene.fresh(count, np.full(count, scene.lane()))))


def long_prompts(scene: Scene) -> None:
    mine = scene.inside & (scene.traffic.lane == scene.lane())
    factor = scene.rng.uniform(8, 25)
    scene.traffic.prompt = np.where(
        mine, np.minimum(scene.traffic.prompt * factor, 24_000), scene.traffic.prompt
    ).astype(int)
    scene.traffic.computed = np.where(mine, (scene.traffic.prompt * 0.9).astype(int), scene.traffic.computed)
    scene.traffic.body = np.where(mine, scene.traffic.prompt * 4 + 300, scene.traffic.body)
    scene.play_whole(scene.traffic)


def retry_storm(scene: Scene) -> None:
    """A rush fills a short queue for a while; whoever is refused asks again at once, many times."""
    ordinary = scene.traffic.where(
        (scene.traffic.due_s >= scene.begin_s - 60) & (scene.traffic.due_s < scene.end_s + 60)
    )
    replaced = (scene.traffic.due_s >= scene.begin_s - 60) & (scene.traffic.due_s < scene.end_s + 60)
    rush_s, size = 0.4 * scene.length_s, scene.rng.uniform(0.5, 0.8)
    while True:
        more = scene.fresh(
            int(scene.world.rate_per_s * rush_s * size), None, scene.begin_s, scene.begin_s + rush_s
        )
        fresh = ordinary.with_more(more)
        played = play(fresh, scene.world.profile, scene.world.limits, scene.player)
        if (played.outcome != "ok").sum() > 0.1 * scene.inside.sum():
            break
        size *= 1.2
    tries, pause_s = int(scene.rng.integers(6, 13)), scene.rng.uniform(0.3, 2.0)
    whole = fresh
    for _ in range(tries):
        failed = np.isin(played.outcome, ("rejected_full", "queue_timeout"))
        again = whole.where(failed)
        wait_s = np.where(played.outcome[failed] == "queue_timeout", scene.world.limits.queue_timeout_s, 0.0)
        again.due_s = again.due_s + wait_s + pause_s * scene.rng.uniform(0.5, 1.5, len(again))
        soon = again.where(again.due_s < scene.end_s + 60)
        whole = fresh.with_more(soon)
        played = play(whole, scene.world.profile, scene.world.limits, scene.player)
    scene.traffic, scene.played = joined(scene.traffic, scene.played, replaced, whole, played)


def full_queue(scene: Scene) -> None:
    count = int(scene.world.rate_per_s * scene.length_s * scene.rng.uniform(0.7, 2.0))
    scene.play_whole(scene.traffic.with_more(scene.fresh(count)))


def kv_preemption(scene: Scene) -> None:
    """Less of the cache is there than what runs needs at its busiest."""
    profile, mine = scene.world.profile, scene.inside
    need = float(np.quantile(scene.traffic.prompt[mine] + scene.traffic.output[mine], 0.6))
    for part in scene.rng.uniform(0.5, 0.8) * 0.85 ** np.arange(12):
        blocks = max(int(need * scene.world.limits.max_active * part / profile.block_size), 480)
        keep = scene.traffic.computed
        # What is found in the cache fills it all the same.
        scene.traffic.computed = np.where(mine, scene.traffic.prompt, keep)
        small = profile.model_copy(
            update={"num_gpu_blocks": blocks, "per_token_s": profile.per_token_s * 0.5}
        )
        again = scene.play_inside(small, scene.world.limits)
        scene.traffic.computed = keep
        if again.preemptions > 0.04 * mine.sum() or blocks == 480:
            break
    scene.levels |= {
        Signal.PREEMPTIONS: again.preemptions / (scene.length_s + 60),
        Signal.KV_USE: float(scene.rng.uniform(0.94, 0.995)),
        Signal.ENGINE_GAP: 1.0,
    }


def throttled_clock(scene: Scene) -> None:
    part = scene.rng.uniform(0.45, 0.8)
    scene.play_inside(slower(scene.world.profile, 1 / part), scene.world.limits)
    scene.levels |= {Signal.GPU_CLOCK: 1.98e9 * part, Signal.ENGINE_GAP: 1.0}
    if scene.rng.random() < 0.7:
        scene.levels[Signal.GPU_HEAT if scene.rng.random() < 0.6 else Signal.GPU_BRAKE] = 1.0


def engine_restart(scene: Scene) -> None:
    """Away for a while: what ran broke off, what came was answered 502; then it begins anew."""
    away_s = scene.rng.uniform(40, 240)
    scene.end_s = scene.begin_s + away_s
    due_s, played = scene.traffic.due_s, scene.played
    hit = scene.inside | ((due_s < scene.begin_s) & (played.last_s > scene.begin_s))
    played.outcome = np.where(hit & (played.outcome == "ok"), "upstream_error", played.outcome)
    played.last_s = np.where(
        hit, np.maximum(due_s + 0.005, np.minimum(played.last_s, scene.begin_s)), played.last_s
    )
    played.first_s = np.where(scene.inside, np.nan, played.first_s)
    scene.levels |= {Signal.ENGINE_UP: 0.0, Signal.ENGINE_RESETS: 1.0}


def limits_changed(scene: Scene) -> None:
    """Somebody lowers the slots too far, or slots and queue."""
    world, kind = scene.world, scene.rng.integers(0, 3)
    if kind < 2:
        slots = max(1, int(world.limits.max_active * scene.rng.uniform(0.2, 0.5)))
        limits = with_limits(world, max_active=slots)
    else:
        slots = max(1, int(world.limits.max_active * scene.rng.uniform(0.3, 0.55)))
        limits = with_limits(world, max_active=slots, queue_max=int(scene.rng.integers(1, 5)))
    scene.play_inside(world.profile, limits)
    scene.levels |= {Signal.ACTIVE_LIMIT: limits.max_active, Signal.QUEUE_LIMIT: limits.queue_max}


def slow_readers(scene: Scene) -> None:
    mine = scene.inside & (scene.traffic.lane == scene.lane()) & (scene.rng.random(len(scene.traffic)) < 0.8)
    scene.traffic.held = np.where(mine, scene.rng.uniform(6, 20), 1.0)
    scene.play_whole(scene.traffic)


def longer_answers(scene: Scene) -> None:
    everybody = scene.rng.random() < 0.5
    mine = scene.inside if everybody else scene.inside & (scene.traffic.lane == scene.lane())
    factor = scene.rng.uniform(1.8, 3.5) if everybody else scene.rng.uniform(4, 8)
    scene.traffic.output = np.where(mine, scene.traffic.output * factor, scene.traffic.output).astype(int)
    scene.play_whole(scene.traffic)


def cache_lost(scene: Scene) -> None:
    """Prompts are as ever, their heads differ or the cache forgets: all of them is computed."""
    left = scene.rng.uniform(0.0, 0.1)
    scene.traffic.computed = np.where(
        scene.inside, np.maximum(1, (scene.traffic.prompt * (1 - left)).astype(int)), scene.traffic.computed
    )
    if scene.rng.random() < 0.5:
        scene.traffic.group = np.where(
            scene.inside, 50_000 + np.arange(len(scene.traffic)), scene.traffic.group
        )
    scene.play_whole(scene.traffic)
    scene.levels[Signal.CACHE_HITS] = left


def gateway_starved(scene: Scene) -> None:
    factor = scene.rng.uniform(1.4, 3.0)
    scene.play_inside(slower(scene.world.profile, factor), scene.world.limits)
    scene.played.first_s = np.where(
        scene.inside, scene.played.first_s + scene.rng.uniform(0.05, 0.3), scene.played.first_s
    )
    lag_s = float(scene.rng.uniform(0.04, 0.4))
    scene.levels |= {Signal.LOOP_LAG: lag_s, Signal.OVERHEAD: lag_s / 3}
    scene.levels |= {Signal.ENGINE_GAP: 1 / factor, Signal.ENGINE_TTFT: 1 / factor}


def others_on_gpu(scene: Scene) -> None:
    scene.play_inside(slower(scene.world.profile, scene.rng.uniform(1.3, 2.2)), scene.world.limits)
    scene.levels[Signal.GPU_USE] = 0.995
    if scene.rng.random() < 0.85:
        scene.levels[Signal.GPU_MEMORY] = 72 * 2**30 * scene.rng.uniform(1.03, 1.1)
    else:
        scene.levels[Signal.GPU_MEMORY] = 72 * 2**30 * scene.rng.uniform(1.02, 1.03)


def cancelling_client(scene: Scene) -> None:
    """A client with a short patience asks, leaves and asks again, over and over."""
    count = int(scene.world.rate_per_s * scene.length_s * scene.rng.uniform(1.0, 2.5))
    more = scene.fresh(count, np.full(count, scene.lane()))
    patience = max(2, int(scene.rng.uniform(0.6, 1.6) / scene.world.profile.base_s))
    more.held = np.minimum(1.0, patience / np.maximum(more.output, 1))
    more.leaves = np.ones(count, dtype=bool)
    more.patience_s = np.full(count, patience * scene.world.profile.base_s)
    scene.play_whole(scene.traffic.with_more(more))


def slow_engine(scene: Scene) -> None:
    factor, profile = scene.rng.uniform(1.3, 2.2), scene.world.profile
    if scene.rng.random() < 0.5:
        other = slower(profile, factor)
    else:
        whole_s = profile.base_s + scene.world.limits.max_active / 2 * profile.per_decode_s
        other = profile.model_copy(update={"base_s": profile.base_s + (factor - 1) * whole_s})
    scene.play_inside(other, scene.world.limits)


def trace_burst(scene: Scene) -> None:
    end_s = scene.begin_s + scene.rng.uniform(5, 40)
    count = int(scene.world.rate_per_s * scene.rng.uniform(40, 90))
    scene.play_whole(scene.traffic.with_more(scene.fresh(count, None, scene.begin_s, end_s)))


INCIDENTS: dict[Cause, Callable[[Scene], None]] = {
    Cause.TENANT_FLOOD: tenant_flood,
    Cause.LONG_PROMPTS: long_prompts,
    Cause.RETRY_STORM: retry_storm,
    Cause.FULL_QUEUE: full_queue,
    Cause.PREEMPTION: kv_preemption,
    Cause.THROTTLED: throttled_clock,
    Cause.RESTART: engine_restart,
    Cause.LIMITS: limits_changed,
    Cause.SLOW_READERS: slow_readers,
    Cause.LONGER_ANSWERS: longer_answers,
    Cause.CACHE_LOST: cache_lost,
    Cause.GATEWAY_STARVED: gateway_starved,
    Cause.GPU_SHARED: others_on_gpu,
    Cause.CANCELLING: cancelling_client,
    Cause.SLOW_ENGINE: slow_engine,
    Cause.BURST: trace_burst,
}
