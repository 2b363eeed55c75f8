"""Further periods like a recording: the same rhythm, other bursts; as dense, denser or thinner.

A period that comes has the hours of the one that was recorded, and not its accidents. So it is put together
from chunks of the recording: each place of the clock gets a chunk that was recorded near it (the local block
bootstrap for series whose law changes slowly: Paparoditis and Politis 2002). What hangs together within some
tens of seconds stays together; which bursts follow each other is new, and so are the queues that they make.

A month of rows cannot be played under forty settings. If there are more requests than can be, whole blocks of
the clock are left out: a systematic sample of them in order of their load is played (every k-th from a random
start: Cochran, "Sampling Techniques", 1977, chapter 8), so that quiet and busy hours are there as often as in
the whole. What comes shortly before a block is played too, and not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.learning.production import Flags, Floats, Integers, Production, RecordedRequest

BLOCKS = 48
SHORTEST_S, LONGEST_S = 20.0, 600.0
CHUNK_S = 30.0
REACH = 24
"""A chunk comes from this part of the span around its place, on either side."""
LEAD_CHUNKS = 2
"""Played before a block whose predecessor is not."""
SMOOTHED = 0.6
"""Bandwidth over standard deviation: (4 / 3n) ^ (1/5) of a normal law, for the n ≈ 15 chunks that a place may
get."""
BUSIEST = 0.25
"""Part of a period whose bursts decide on its tail."""
PAUSE_S = 600.0
"""Of virtual time between blocks that were no neighbours: whoever waits is served or gone by then."""


@dataclass(frozen=True, slots=True)
class Played:
    """Requests on a virtual clock. counted: which of them (n,); counted_s: of how much time."""

    asked: Sequence[RecordedRequest]
    counted: Flags
    counted_s: float


class Stretches:
    """A recording in blocks, of which at most about `requests` requests are played."""

    def __init__(self, production: Production, requests: int, seed: int) -> None:
        self._production = production
        self._span_s = max(production.span_s, SHORTEST_S)
        chunks = max(1, round(self._span_s / CHUNK_S))
        self._chunk_s = self._span_s / chunks
        self._edges_s = np.linspace(0.0, self._span_s, chunks + 1)
        self._edges_s[-1] = np.nextafter(self._span_s, np.inf)
        self._first = np.searchsorted(production.arrival_s, self._edges_s)
        length_s = float(np.clip(self._span_s / BLOCKS, SHORTEST_S, LONGEST_S))
        self._blocks = np.array_split(np.arange(chunks), max(1, round(self._span_s / length_s)))
        self._blocks = [block for block in self._blocks if len(block)]
        self.burstiness = self._burstiness()
        self.chosen = self._choose(requests, np.random.default_rng([seed, 21]))

    def _burstiness(self) -> float:
        """Standard deviation of a chunk's rate over its mean, without the rhythm (neighbours are compared:
        von Neumann's estimator) and without what Poisson arrivals vary anyway."""
        counts = np.diff(self._first).astype(float)
        if len(counts) < 3 or not counts.sum():
            return 0.0
        mean = (counts[1:] + counts[:-1]) / 2
        excess = float((np.diff(counts) ** 2 / 2).sum() - mean.sum())
        return float(np.sqrt(max(0.0, excess) / float((mean**2).sum())))

    def _choose(self, requests: int, rng: np.random.Generator) -> Integers:
        work = self._production.prompt_tokens / 8 + self._production.output_tokens
        sums = np.concatenate([[0.0], np.cumsum(work)])
        load = np.diff(sums[self._first])
        by_load = np.argsort([load[block].mean() for block in self._blocks], kind="stable")
        count = len(by_load)
        wanted = max(1, round(count * min(1.0, requests / max(1, len(self._production)))))
        places = (np.arange(wanted) + rng.random()) * count / wanted if wanted < count else np.arange(count)
        found: Integers = np.sort(by_load[places.astype(np.int64)])
        return found

    def at(self, scale: float, rng: np.random.Generator) -> Played:
        """A further period with `scale` times the requests (> 0).

        Denser: more chunks on top of each other, of the last as many requests as are wanted: more people,
        each as they are. Thinner: each request stays with that probability.
        """
        rows: list[Integers] = []
        at_s: list[Floats] = []
        counted: list[Flags] = []
        clock_s, counted_s, before = 0.0, 0.0, -2
        scale *= self._luck(rng)
        for block in self.chosen.tolist():
            chunks = self._blocks[block]
            lead = 0 if block == before + 1 else min(LEAD_CHUNKS, int(chunks[0]))
            if rows and block != before + 1:
                clock_s += PAUSE_S
            for chunk in range(int(chunks[0]) - lead, int(chunks[-1]) + 1):
                for found in self._drawn(chunk, scale, rng):
                    rows.append(found[0])
                    at_s.append(clock_s + found[1])
                    counted.append(np.full(len(found[0]), chunk >= chunks[0]))
                clock_s += self._chunk_s
            counted_s += len(chunks) * self._chunk_s
            before = block
        when_s = np.concatenate(at_s)
        order = np.argsort(when_s, kind="stable")
        asked = self._production.where(np.concatenate(rows)[order]).asked(when_s[order])
        return Played(asked, np.concatenate(counted)[order], counted_s)

    def _luck(self, rng: np.random.Generator) -> float:
        """The recorded period's mean is a draw as the next one's is: a factor of mean 1 for the period, as
        uncertain as the mean of the busiest chunks is, on which a tail hangs."""
        count = len(self._edges_s) - 1
        width = self.burstiness / np.sqrt(max(1.0, BUSIEST * count))
        return float(np.exp(width * rng.standard_normal() - width**2 / 2))

    def _drawn(self, chunk: int, scale: float, rng: np.random.Generator) -> list[tuple[Integers, Floats]]:
        """Requests of chunks from around this one, and when they come after its begin; one for each layer."""
        count = len(self._edges_s) - 1
        reach = max(1, round(count / REACH))
        width = SMOOTHED * self.burstiness
        scale *= float(np.exp(width * rng.standard_normal() - width**2 / 2))
        layers = []
        for layer in range(int(np.ceil(scale))):
            donor = chunk + int(rng.integers(-reach, reach + 1))
            # Mirrored at both ends, so that every chunk is drawn as often as any other.
            donor = -1 - donor if donor < 0 else 2 * count - 1 - donor if donor >= count else donor
            donor = min(max(donor, 0), count - 1)
            found = np.arange(self._first[donor], self._first[donor + 1])
            if scale - layer < 1:
                found = found[rng.random(len(found)) < scale - layer]
            layers.append((found, self._production.arrival_s[found] - self._edges_s[donor]))
        return layers
