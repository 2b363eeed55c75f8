"""Ordinary hours: who asks for what and when, on which engine, under which limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.twin.profile import Profile
from experiments.twin.simulate import Player
from experiments.twin.simulated import OUTCOMES
from gateway.limits import Limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRETCH_S = 900.0
BEFORE = 13
"""Stretches of ordinary hours before the asked one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the twin is told of a request."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0
    after: tuple[int, ...] = ()


@dataclass
class Traffic:
    """Requests in order of arrival, (n,). computed: prompt tokens that are not in the cache; held: times as
    many tokens as the answer has, for which it holds its slot; leaves: whether its client goes instead of
    waiting for its end; patience_s: after which it leaves the queue."""

    due_s: Floats
    lane: Ints
    session: Ints
    prompt: Ints
    computed: Ints
    output: Ints
    body: Ints
    group: Ints
    held: Floats
    leaves: NDArray[np.bool_]
    patience_s: Floats

    def __len__(self) -> int:
        return len(self.due_s)

    def where(self, kept: NDArray[np.bool_]) -> Traffic:
        """Only these."""
        return Traffic(**{name: column[kept] for name, column in vars(self).items()})

    def with_more(self, other: Traffic) -> Traffic:
        """Both, in order of arrival."""
        whole = {name: np.concatenate([column, vars(other)[name]]) for name, column in vars(self).items()}
        order = np.argsort(whole["due_s"], kind="stable")
        return Traffic(**{name: column[order] for name, column in whole.items()})


@dataclass
class Played:
    """What became of each request of a traffic; seconds, nan where it did not happen."""

    outcome: NDArray[np.str_]
    granted_s: Floats
    first_s: Floats
    last_s: Floats
    version: Ints
    preemptions: int = 0


def joined(
    traffic: Traffic, played: Played, replaced: NDArray[np.bool_], other: Traffic, other_played: Played
) -> tuple[Traffic, Played]:
    """The first without what is replaced, and the second, in order of arrival."""
    whole = traffic.where(~replaced)
    both = {name: np.concatenate([column, vars(other)[name]]) for name, column in vars(whole).items()}
    order = np.argsort(both["due_s"], kind="stable")

    def of_both(name: str) -> NDArray[np.generic]:
        found: NDArray[np.generic] = np.concatenate(
            [getattr(played, name)[~replaced], getattr(other_played, name)]
        )[order]
        return found

    return Traffic(**{name: column[order] for name, column in both.items()}), Played(
        of_both("outcome").astype(str),
        of_both("granted_s").astype(float),
        of_both("first_s").astype(float),
        of_both("last_s").astype(float),
        of_both("version").astype(np.int64),
    )


@dataclass(frozen=True)
class World:
    """An ordinary production, drawn from a seed. rate_per_s: mean of all lanes, which is `load`
    of what the slots take; lanes: (name, share, prompt,
    output), means of tokens; hits: part of a prompt that is in the cache."""

    rate_per_s: float
    lanes: tuple[tuple[str, float, float, float], ...]
    hits: float
    profile: Profile
    limits: Limits
    rhythm: float
    sessions: int
    load: float


def drawn(rng: np.random.Generator) -> World:
    """Three or four tenants at 45 to 70 % of what the slots take."""
    count = int(rng.integers(3, 5))
    shares = rng.dirichlet(np.full(count, 6.0))
    lanes = tuple(
        (f"tenant{k}/{rng.choice(['chat', 'batch'])}", float(shares[k]), float(rng.uniform(250, 900)),
         float(rng.uniform(90, 220)))
        for k in range(count)
    )  # fmt: skip
    slots = int(rng.integers(12, 33))
    profile = Profile(
        name="drawn",
        source="drawn from a seed",
        base_s=float(rng.uniform(0.008, 0.02)),
        per_decode_s=float(rng.uniform(0.0002, 0.0005)),
        per_token_s=float(rng.uniform(3e-5, 1e-4)),
        knee_tokens=float(rng.uniform(64, 300)),
        per_kv_token_s=float(rng.uniform(0, 4e-8)),
        ingest_s=0.002,
        egress_s=0.0005,
        max_num_seqs=256,
        max_num_batched_tokens=2048,
        num_gpu_blocks=20_000,
        block_size=16,
        max_model_len=32_768,
    )
    hits = float(rng.uniform(0.4, 0.75))
    outputs = sum(share * output for _, share, _, output in lanes)
    prompts = sum(share * prompt for _, share, prompt, _ in lanes) * (1 - hits)
    step_s = profile.base_s + slots * profile.per_decode_s
    capacity = slots / (outputs * step_s + prompts * profile.per_token_s * (1 + slots) + step_s)
    limits = Limits(
        max_active=slots, queue_max=int(rng.integers(20, 80)), queue_timeout_s=float(rng.uniform(10, 30))
    )
    load = float(rng.uniform(0.45, 0.7))
    return World(
        rate_per_s=capacity * load,
        lanes=lanes,
        hits=hits,
        profile=profile,
        limits=limits,
        rhythm=float(rng.uniform(0.0, 0.2)),
        sessions=int(rng.integers(20, 60)),
        load=load,
    )


def requests(world: World, rng: np.random.Generator, due_s: Floats, lane: Ints) -> Traffic:
    """Of these lanes at these times: lengths, sessions and prefixes drawn as they usually are."""
    count = len(due_s)
    prompts = np.array([prompt for _, _, prompt, _ in world.lanes])[lane]
    outputs = np.array([output for _, _, _, output in world.lanes])[lane]
    prompt = np.clip(prompts * rng.lognormal(-0.18, 0.6, count), 8, 6000).astype(int)
    output = np.clip(outputs * rng.lognormal(-0.25, 0.7, count), 2, 1500).astype(int)
    hit = np.clip(rng.normal(world.hits, 0.12, count), 0, 0.95)
    return Traffic(
        due_s=due_s,
        lane=lane,
        session=lane * 1000 + rng.integers(0, world.sessions, count),
        prompt=prompt,
        computed=np.maximum(1, (prompt * (1 - hit)).astype(int)),
        output=output,
        body=(prompt * 4 + rng.integers(150, 400, count)).astype(int),
        group=np.where(
            rng.random(count) < 0.8, lane * 7 + rng.integers(0, 7, count), 10_000 + np.arange(count)
        ),
        held=np.ones(count),
        leaves=rng.random(count) < 0.004,
        patience_s=np.full(count, np.inf),
    )


def arrivals(world: World, rng: np.random.Generator, begin_s: float, end_s: float) -> Traffic:
    """Ordinary arrivals: a slow rhythm, minutes that differ by a tenth, shares of lanes that drift."""
    minutes = np.arange(begin_s, end_s, 60.0)
    day = 1 + world.rhythm * np.sin(2 * np.pi * minutes / 86_400 + 1.0)
    rate = world.rate_per_s * day * rng.gamma(100, 1 / 100, len(minutes))
    counts = rng.poisson(rate * 60.0)
    due_s = np.sort(np.repeat(minutes, counts) + rng.uniform(0, 60, counts.sum()))
    shares = np.array([share for _, share, _, _ in world.lanes])
    lane = rng.choice(len(shares), len(due_s), p=shares / shares.sum())
    return requests(world, rng, due_s, lane)


def play(traffic: Traffic, profile: Profile, limits: Limits, player: Player) -> Played:
    """The twin's word on what becomes of it. Who leaves the queue has not been in the way of others: those
    are found by playing again without them."""
    gone = np.zeros(len(traffic), dtype=bool)
    while True:
        played = _played(traffic, ~gone, profile, limits, player)
        wait_s = np.where(np.isnan(played.granted_s), 0.0, played.granted_s - traffic.due_s)
        impatient = ~gone & (wait_s > traffic.patience_s)
        if impatient.sum() <= 0.01 * max(1, np.isfinite(traffic.patience_s).sum()):
            return played
        gone |= impatient & (np.cumsum(impatient) % 2 == 0) if impatient.sum() > 20 else impatient


def _played(
    traffic: Traffic, sent: NDArray[np.bool_], profile: Profile, limits: Limits, player: Player
) -> Played:
    rest = traffic.where(sent)
    planned = [
        Planned(due_s, prompt, max(1, round(output * held)))
        for due_s, prompt, output, held in zip(
            rest.due_s.tolist(), rest.computed.tolist(), rest.output.tolist(), rest.held.tolist(), strict=True
        )
    ]
    done = player.simulate(planned, profile, limits)
    outcome = np.full(len(traffic), "client_abort", dtype=object)
    outcome[sent] = np.where(
        (done.codes == OUTCOMES.index("ok")) & rest.leaves, "client_abort", np.array(OUTCOMES)[done.codes]
    )

    def whole(column: Floats) -> Floats:
        found = np.full(len(traffic), np.nan)
        found[sent] = column
        return found

    times = whole(done.granted_s), whole(done.first_s), whole(done.last_s)
    return Played(outcome.astype(str), *times, np.full(len(traffic), limits.version), done.preemptions)


def slower(profile: Profile, factor: float) -> Profile:
    """The same engine, `factor` times as slow in its steps."""
    names = ("base_s", "per_decode_s", "per_token_s", "per_kv_token_s", "per_pair_s")
    return profile.model_copy(update={name: getattr(profile, name) * factor for name in names})


def with_limits(world: World, **changes: int | float) -> Limits:
    """The limits with these changed, as the next version."""
    return replace(world.limits, version=world.limits.version + 1, **changes)  # type: ignore[arg-type]
