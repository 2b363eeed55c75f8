"""The runs: a flood, the engine's own priority, slots in tokens, a batch beside people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Protocol

from benchmarks.lanes.real.windows import BATCH, PATIENT, Asked, Batch, Kind, Stand, Window, poisson
from experiments.stack.engine_knobs import EngineKnobs

Block = Mapping[str, Window]
"""Windows, by what was different in them."""


class Part(Protocol):
    """One of the runs. knobs, args: what its engine is started with."""

    @property
    def knobs(self) -> EngineKnobs: ...
    def args(self, engine: str) -> Sequence[str]: ...
    def capacity_per_s(self, stand: Stand) -> float: ...
    def block(self, stand: Stand, capacity_per_s: float, number: int, seconds: float) -> Block:
        """One block, in which the order of the windows is that of its number."""

    def judged(self, blocks: Sequence[Block]) -> tuple[list[str], bool]:
        """The table of all blocks, and whether the goal is met."""


class Flood:
    """A offers ten times the capacity, B 0.35 of it, with equal weights: B's goodput beside A and alone."""

    slots, goal = 8, 0.95
    knobs = EngineKnobs(max_num_seqs=16)

    def args(self, engine: str) -> Sequence[str]:
        """None."""
        return ()

    def capacity_per_s(self, stand: Stand) -> float:
        """Of its slots."""
        return stand.capacity_per_s([self._kind(1.0)], self.slots, 10 * self.slots)

    def block(self, stand: Stand, capacity_per_s: float, number: int, seconds: float) -> Block:
        """B alone, and beside A."""
        # Three times what a request takes with all slots busy: waiting one's turn is in it, a flood is not.
        kind = self._kind(3 * self.slots / capacity_per_s)
        random = Random(100 + number)
        of = {
            name: [Asked(at_s, name, kind) for at_s in poisson(part * capacity_per_s, seconds, random)]
            for name, part in (("a", 10.0), ("b", 0.35))
        }
        settings = {"max_active": self.slots, "queue_max": 5 * self.slots, **PATIENT}
        lanes = _lanes("a", "b", classes=[("all", 0)])
        found: dict[str, Window] = {}
        for name in _in_turn(("alone", "beside"), number):
            asked = of["b"] if name == "alone" else _in_order(of["a"] + of["b"])
            found[name] = stand.played(asked, lanes, settings)
        return found

    def judged(self, blocks: Sequence[Block]) -> tuple[list[str], bool]:
        """By the mean of what B keeps."""
        rows = ["| block | B good alone | B good beside A | kept | A answered |", "| --- " * 5 + "|"]
        kept: list[float] = []
        for k, one in enumerate(blocks):
            alone, beside = one["alone"], one["beside"]
            kept.append(beside.good["b"] / max(alone.good["b"], 1))
            rows.append(
                f"| {k + 1} | {alone.good['b']} of {alone.offered['b']} | {beside.good['b']} |"
                f" {kept[-1]:.3f} | {beside.answered['a']} of {beside.offered['a']} |"
            )
        told = f"\nB keeps {fmean(kept):.3f} of its goodput (goal {self.goal:g})"
        return [*rows, told], fmean(kept) >= self.goal

    def _kind(self, within_s: float) -> Kind:
        return Kind("chat", 24, 16, within_s)


class Priority:
    """A backlog of a batch class waits inside the engine; urgent requests come beside it, with the class's
    rank told to the engine, and without.
    """

    slots, reserved, goal = 40, 8, 0.5
    knobs = EngineKnobs(max_num_seqs=4)
    _kind = Kind("chat", 24, 24, 60.0)

    def args(self, engine: str) -> Sequence[str]:
        """The emulator has no such policy."""
        return () if engine == "emulator" else ("--scheduling-policy", "priority")

    def capacity_per_s(self, stand: Stand) -> float:
        """Of the engine's batch."""
        return stand.capacity_per_s([self._kind], self.slots, 50)

    def block(self, stand: Stand, capacity_per_s: float, number: int, seconds: float) -> Block:
        """Told, and untold."""
        random = Random(200 + number)
        urgent = poisson(0.2 * capacity_per_s, seconds, random)
        # Until the last urgent one has come there are more than the slots hold.
        backlog = int(0.8 * capacity_per_s * seconds) + self.slots
        asked = [Asked(0.0, "night", self._kind)] * backlog
        asked += [Asked(at_s, "people", self._kind) for at_s in urgent]
        lanes = _lanes("people", "night", classes=[("urgent", self.reserved), ("batch", 0)])
        found: dict[str, Window] = {}
        for name in _in_turn(("told", "untold"), number):
            told = {"max_active": self.slots, "queue_max": 10_000, "upstream_priority": name == "told"}
            found[name] = stand.played(asked, lanes, {**told, **PATIENT})
        return found

    def judged(self, blocks: Sequence[Block]) -> tuple[list[str], bool]:
        """By how much shorter an urgent request takes."""
        rows = ["| block | urgent, told: mean s | untold: mean s | share | batch: told, untold |"]
        rows.append("| --- " * 5 + "|")
        shares: list[float] = []
        for k, one in enumerate(blocks):
            told, untold = one["told"].mean_s, one["untold"].mean_s
            shares.append(told["people"] / untold["people"])
            rows.append(
                f"| {k + 1} | {told['people']:.2f} | {untold['people']:.2f} | {shares[-1]:.3f} |"
                f" {told['night']:.2f}, {untold['night']:.2f} |"
            )
        share = fmean(shares)
        sentence = f"\ntold its rank an urgent request takes {share:.3f} of the time (goal {self.goal:g})"
        return [*rows, sentence], share <= self.goal


class Tokens:
    """Nine short requests for a long one at 1.1 x capacity, with a small KV cache: slots in tokens beside
    fixed numbers of slots.
    """

    cache_blocks, block_tokens, goal = 64, 32, 1.2
    actives = (4, 8, 16, 32)
    knobs = EngineKnobs(max_num_seqs=64)
    short, long = Kind("short", 24, 32, 4.0), Kind("long", 600, 100, 12.0)

    def args(self, engine: str) -> Sequence[str]:
        """A small cache."""
        blocks, tokens = self.cache_blocks, self.block_tokens
        if engine == "emulator":
            return ("--set", f"num_gpu_blocks={blocks}", "--set", f"block_size={tokens}")
        cache = ("--num-gpu-blocks-override", str(blocks), "--block-size", str(tokens))
        return (*cache, "--max-model-len", "1024")

    def capacity_per_s(self, stand: Stand) -> float:
        """The most of the middle two numbers of slots."""
        kinds = [self.short] * 9 + [self.long]
        return max(stand.capacity_per_s(kinds, active, 60) for active in self.actives[1:3])

    def block(self, stand: Stand, capacity_per_s: float, number: int, seconds: float) -> Block:
        """Each setting on the same requests."""
        random = Random(300 + number)
        asked = [
            Asked(at_s, "a", self.long if random.random() < 0.1 else self.short)
            for at_s in poisson(1.1 * capacity_per_s, seconds, random)
        ]
        lanes = _lanes("a", classes=[("all", 0)])
        queue = {"queue_max": max(4, round(2 * capacity_per_s)), "queue_timeout_s": 3}
        found: dict[str, Window] = {}
        for name in _in_turn(("tokens", *map(str, self.actives)), number):
            slots: dict[str, object] = {"max_active": name}
            if name == "tokens":
                slots = {"max_active": 64, "slot_cost": "tokens"}
            found[name] = stand.played(asked, lanes, {**slots, **queue})
        return found

    def judged(self, blocks: Sequence[Block]) -> tuple[list[str], bool]:
        """By the goodput of tokens over that of the best number."""
        rows = ["| setting | good of offered | answered | preemptions |", "| --- " * 4 + "|"]
        good: dict[str, int] = {}
        for name in ("tokens", *map(str, self.actives)):
            seen = [one[name] for one in blocks]
            good[name] = sum(each.good["a"] for each in seen)
            offered = sum(each.offered["a"] for each in seen)
            answered = sum(each.answered["a"] for each in seen)
            lost = sum(each.preemptions for each in seen)
            rows.append(f"| {name} | {good[name]} of {offered} | {answered} | {lost:g} |")
        gain = good.pop("tokens") / max(*good.values(), 1)
        told = f"\nslots in tokens: {gain:.3f} of the best number's goodput (goal {self.goal:g})"
        return [*rows, told], gain >= self.goal and not any(one["tokens"].preemptions for one in blocks)


class BesideBatch:
    """People at half the capacity, alone and beside `headroom batch run` in a less urgent class: attainment,
    and what the batch gets of what is free. Counted in the second half of a window, which should be long:
    a batch begins with one request at once.
    """

    slots, reserved, load = 8, 1, 0.5
    fall, used = 0.01, 0.85
    knobs = EngineKnobs(max_num_seqs=16)

    def args(self, engine: str) -> Sequence[str]:
        """None."""
        return ()

    def capacity_per_s(self, stand: Stand) -> float:
        """Of its slots."""
        return stand.capacity_per_s([self._kind(1.0)], self.slots, 10 * self.slots)

    def block(self, stand: Stand, capacity_per_s: float, number: int, seconds: float) -> Block:
        """Alone, and beside."""
        kind, random = self._kind(3 * self.slots / capacity_per_s), Random(400 + number)
        asked = [Asked(at_s, "people", kind) for at_s in poisson(self.load * capacity_per_s, seconds, random)]
        lanes = _lanes("people", BATCH, classes=[("urgent", self.reserved), ("batch", 0)])
        settings = {"max_active": self.slots, "queue_max": 5 * self.slots, "queue_timeout_s": 60}
        batch = Batch(kind, int(2 * capacity_per_s * seconds), kind.within_s, seconds / 2)
        found: dict[str, Window] = {}
        for name in _in_turn(("alone", "beside"), number):
            beside = batch if name == "beside" else None
            found[name] = stand.played(asked, lanes, settings, beside, seconds / 2)
        return found

    def judged(self, blocks: Sequence[Block]) -> tuple[list[str], bool]:
        """By what people lose, and what the batch gets of what they leave at that load."""
        rows = [
            "| block | people alone | beside | answers of the batch | of what is free |",
            "| --- " * 5 + "|",
        ]
        falls, used = [], []
        for k, one in enumerate(blocks):
            alone, beside = one["alone"], one["beside"]
            before, after = (each.good["people"] / each.offered["people"] for each in (alone, beside))
            # The requests that people send are `load` of the capacity.
            free = beside.offered["people"] * (1 - self.load) / self.load
            falls.append(before - after)
            used.append(beside.answered[BATCH] / free)
            rows.append(
                f"| {k + 1} | {before:.4f} | {after:.4f} | {beside.answered[BATCH]} | {used[-1]:.3f} |"
            )
        told = f"\npeople lose {fmean(falls):.4f} (goal {self.fall:g}), the batch uses {fmean(used):.3f} of"
        told += f" what is free (goal {self.used:g})"
        return [*rows, told], fmean(falls) <= self.fall and fmean(used) >= self.used

    def _kind(self, within_s: float) -> Kind:
        return Kind("chat", 24, 16, within_s)


PARTS: Mapping[str, Part] = {
    "flood": Flood(),
    "priority": Priority(),
    "tokens": Tokens(),
    "batch": BesideBatch(),
}


def _lanes(*tenants: str, classes: Sequence[tuple[str, int]]) -> str:
    """classes: with their reserved slots. Tenant k is in class k, or the last; everybody may say who asks."""
    text = "".join(f'[[class]]\nname = "{name}"\nslots_reserved = {kept}\n' for name, kept in classes)
    names = [name for name, _ in classes]
    for k, tenant in enumerate(tenants):
        text += f'[[tenant]]\nname = "{tenant}"\nclass = "{names[min(k, len(names) - 1)]}"\n'
    return text + f'[[tenant]]\nname = "other"\nclass = "{names[-1]}"\ntrusted = true\n'


def _in_turn(names: Sequence[str], number: int) -> list[str]:
    """The windows of a block: forwards in the first, backwards in the next."""
    return list(names) if number % 2 == 0 else list(reversed(names))


def _in_order(asked: Sequence[Asked]) -> list[Asked]:
    return sorted(asked, key=lambda one: one.due_s)
