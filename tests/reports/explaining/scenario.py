"""A whole scenario from a seed, and what `explain` says of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.twin.simulate import Core, Player
from loadtests.traffic.segments import Span
from reports.explain import from_rows, reading, stretches
from reports.explain.cause import Cause
from reports.explain.judge import Judgement, judge
from reports.explain.observed import Observed
from reports.explain.signal import Signal
from tests.reports.explaining import levels, recorded, world
from tests.reports.explaining.incidents import INCIDENTS, Scene

ZERO_UNIX_S = 1_780_000_200.0
_PATIENCE = 5
"""Draws of an incident until one is felt."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scene that was played. asked: the stretch to ask about; now_s: when it is asked; Unix seconds."""

    scene: Scene
    asked: Span
    now_s: float
    series: dict[Signal, levels.Floats]


def quiet(seed: int, player: Player | None = None) -> Scenario:
    """Hours in which nothing happens but what always does."""
    return _made(np.random.default_rng([seed, 0]), None, player or Player(Core.AUTO, expected=1000))


def planted(cause: Cause, seed: int, player: Player | None = None) -> Scenario:
    """The same with an incident of fresh size at a fresh time in the asked stretch."""
    place = list(INCIDENTS).index(cause) + 1
    return _made(np.random.default_rng([seed, place]), cause, player or Player(Core.AUTO, expected=1000))


def _made(rng: np.random.Generator, cause: Cause | None, player: Player) -> Scenario:
    own = world.drawn(rng)
    if cause in (Cause.RETRY_STORM, Cause.CACHE_LOST, Cause.PREEMPTION):
        own = _fitted(own, cause, rng)
    asked_s = world.BEFORE * world.STRETCH_S
    after_s = float(rng.uniform(0, 8)) * world.STRETCH_S
    end_s = asked_s + world.STRETCH_S + after_s
    begin_s = asked_s + float(rng.uniform(0.05, 0.45)) * world.STRETCH_S
    lasts_s = float(rng.uniform(240, 520))
    traffic = world.arrivals(own, rng, 0.0, end_s)
    played = world.play(traffic, own.profile, own.limits, player)
    scene = Scene(own, rng, traffic, played, begin_s, begin_s + lasts_s, player)
    if cause is not None:
        INCIDENTS[cause](scene)
    _distract(scene, rng)
    series = levels.of(scene, end_s, rng)
    asked = Span(ZERO_UNIX_S + asked_s, ZERO_UNIX_S + asked_s + world.STRETCH_S)
    return Scenario(scene, asked, ZERO_UNIX_S + end_s, series)


def _fitted(own: world.World, cause: Cause, rng: np.random.Generator) -> world.World:
    """Where the ordinary hours have to be of that kind, too."""
    if cause is Cause.RETRY_STORM:
        limits, load = replace(own.limits, queue_max=int(rng.integers(6, 16))), float(rng.uniform(0.66, 0.74))
        return replace(own, limits=limits, rate_per_s=own.rate_per_s * load / own.load, load=load)
    if cause is Cause.PREEMPTION:
        lanes = tuple((name, share, 2 * prompt, output) for name, share, prompt, output in own.lanes)
        return replace(own, lanes=lanes, rate_per_s=0.85 * own.rate_per_s)
    own = replace(own, hits=float(rng.uniform(0.75, 0.9)))
    dear = own.profile.model_copy(update={"per_token_s": float(rng.uniform(1.5e-4, 3e-4))})
    prompts = sum(share * prompt for _, share, prompt, _ in own.lanes) * (1 - own.hits)
    outputs = sum(share * output for _, share, _, output in own.lanes)
    slots = own.limits.max_active
    step_s = dear.base_s + slots * dear.per_decode_s
    capacity = slots / (outputs * step_s + prompts * dear.per_token_s * (1 + slots) + step_s)
    return replace(own, profile=dear, rate_per_s=capacity * float(rng.uniform(0.5, 0.7)))


def _distract(scene: Scene, rng: np.random.Generator) -> None:
    """What changes now and then, and does nobody any harm."""
    if rng.random() < 0.2:
        later = scene.traffic.due_s > scene.begin_s - rng.uniform(0, 600)
        scene.played.version = np.where(later, scene.played.version + 1, scene.played.version)
        scene.levels.setdefault(Signal.QUEUE_LIMIT, scene.world.limits.queue_max + 1)


def explained(scenario: Scenario, with_series: bool = True) -> tuple[Observed, Judgement]:
    """Through the files of a recording; its series as the reading of Prometheus gives them."""
    scene = scenario.scene
    with tempfile.TemporaryDirectory() as folder:
        recorded.write(Path(folder), scene.world, scene.traffic, scene.played, ZERO_UNIX_S)
        around = stretches.around(scenario.asked, scenario.now_s, lambda span: span.from_s >= ZERO_UNIX_S)
        rows = from_rows.read(Path(folder), around)
    values = dict(rows.values)
    if with_series:
        values |= levels.binned(scenario.series, around, ZERO_UNIX_S)
    seen = reading.observed(around, values, rows, recorded=True)
    return seen, judge(seen)
