"""Which parts of a recording are played, and the same traffic denser or thinner.

A month of rows cannot be played under forty settings. The recording is cut into blocks of equal length; if
they hold more requests than can be played, a systematic sample of the blocks in order of their load is
(every k-th from a random start: Cochran, "Sampling Techniques", 1977, chapter 8), so that quiet and busy
ones are there as often as in the whole. What came shortly before a block is played too, and not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.learning.production import Asked, Floats, Integers, Production

BLOCKS = 48
SHORTEST_S, LONGEST_S = 20.0, 600.0
LEAD_S = 60.0
"""Played before a block whose predecessor is not."""
PAUSE_S = 600.0
"""Of virtual time between blocks that were no neighbours: whoever waits is served or gone by then."""


@dataclass(frozen=True, slots=True)
class Played:
    """Requests on a virtual clock. `block`: of each (n,), its block's place among the played ones, -1: not
    counted. `blocks`: how many, of `block_s` each."""

    asked: Sequence[Asked]
    block: Integers
    blocks: int
    block_s: float


class Stretches:
    """A recording in blocks, of which at most `requests` requests are played."""

    def __init__(self, production: Production, requests: int, seed: int) -> None:
        span_s = max(production.span_s, SHORTEST_S)
        count = max(1, round(span_s / float(np.clip(span_s / BLOCKS, SHORTEST_S, LONGEST_S))))
        self.block_s = span_s / count
        self._production = production
        self._edges_s = np.linspace(0.0, span_s, count + 1)
        self._edges_s[-1] = np.nextafter(span_s, np.inf)
        self._first = np.searchsorted(production.arrival_s, self._edges_s)
        self._by_load = np.argsort(self._load(), kind="stable")
        self.chosen = self._choose(requests, np.random.default_rng([seed, 21]))

    def _load(self) -> Floats:
        tokens = self._production.prompt_tokens / 8 + self._production.output_tokens
        sums = np.concatenate([[0.0], np.cumsum(tokens)])
        found: Floats = np.diff(sums[self._first])
        return found

    def _choose(self, requests: int, rng: np.random.Generator) -> Integers:
        count = len(self._by_load)
        share = min(1.0, requests / max(1, len(self._production)))
        wanted = max(1, round(count * share))
        places = (np.arange(wanted) + rng.random()) * count / wanted if wanted < count else np.arange(count)
        found: Integers = np.sort(self._by_load[places.astype(np.int64)])
        return found

    def at(self, scale: float, seed: int = 0) -> Played:
        """The chosen blocks with `scale` times the requests (> 0).

        Denser: other blocks of about the same load come on top, of the last as many requests as are wanted:
        more people, each as they are. Thinner: each request stays with that probability.
        """
        rng = np.random.default_rng([seed, 22])
        rows: list[Integers] = []
        at_s: list[Floats] = []
        places: list[Integers] = []
        clock_s, before = 0.0, -2
        for place, block in enumerate(self.chosen.tolist()):
            lead_s = 0.0 if block == before + 1 else min(LEAD_S, float(self._edges_s[block]))
            if block != before + 1:
                clock_s += PAUSE_S if rows else 0.0
            for donor, keep in self._layers(block, scale):
                begin_s = float(self._edges_s[donor])
                low = int(np.searchsorted(self._production.arrival_s, begin_s - lead_s))
                found = np.arange(low, self._first[donor + 1])
                found = found[rng.random(len(found)) < keep]
                since_s = self._production.arrival_s[found] - begin_s + lead_s
                rows.append(found)
                at_s.append(clock_s + since_s)
                places.append(np.where(since_s >= lead_s, place, -1))
            clock_s += lead_s + self.block_s
            before = block
        return self._played(np.concatenate(rows), np.concatenate(at_s), np.concatenate(places))

    def _layers(self, block: int, scale: float) -> list[tuple[int, float]]:
        """Blocks that are laid on each other, and the share of each that is taken."""
        if scale <= 1:
            return [(block, scale)]
        rank = int(np.flatnonzero(self._by_load == block)[0])
        others = sorted(range(len(self._by_load)), key=lambda place: (abs(place - rank), place < rank))
        ranks = [others[k % len(others)] for k in range(int(np.ceil(scale)))]
        shares = [min(1.0, scale - k) for k in range(len(ranks))]
        return [(int(self._by_load[one]), share) for one, share in zip(ranks, shares, strict=True)]

    def _played(self, rows: Integers, at_s: Floats, places: Integers) -> Played:
        order = np.argsort(at_s, kind="stable")
        asked = self._production.where(rows[order]).asked(at_s[order])
        return Played(asked, places[order], len(self.chosen), self.block_s)
