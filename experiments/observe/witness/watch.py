"""Watching the machine while a cell is measured: a thread reads it once a second, and at the window's ends.

The sweep's process has nothing else to do in that time, and load generator, gateway and engine are processes
of their own: a thread disturbs none of them. A reading takes three or four milliseconds of a harness's core.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.observe.witness import nvml
from experiments.observe.witness.account import CardFacts, Watched
from experiments.observe.witness.nvml import Card, Library
from experiments.observe.witness.own_time import CoreSet
from experiments.observe.witness.process_table import Descendants
from experiments.observe.witness.readings import HARNESS, MachineReading, Reader, Subject

_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, and with what. `library`: None where there is no GPU that the engine may use."""

    subject: Subject
    library: Library | None = None

    @contextlib.contextmanager
    def over(self, edges_s: Sequence[float]) -> Iterator[Watching]:
        """Watch while the block runs. `edges_s`: moments to be read besides, seconds from now."""
        card, own = self._card()
        watching = Watching(Reader(self.subject, card, own), self.subject.cores, card)
        thread = threading.Thread(
            target=watching.run, args=(sorted(edges_s), self.subject.cores.get(HARNESS)), name="witness"
        )
        thread.start()
        try:
            yield watching
        finally:
            watching.ended.set()
            thread.join()

    def _card(self) -> tuple[Card | None, frozenset[int]]:
        """The engine's, and the processes of the stack."""
        if self.library is None:
            return None, frozenset()
        own = frozenset(Descendants(self.subject.roots).now())
        visible = nvml.visible_to(self.subject.engine) if self.subject.gpu_sure else None
        card = self.library.card_of(own, visible)
        known = card is not None and (self.subject.gpu_sure or card.others(own) is not None)
        return (card if known else None), own


@dataclass(slots=True)
class Watching:
    """Readings while they come."""

    reader: Reader
    cores: Mapping[str, CoreSet]
    card: Card | None
    readings: list[MachineReading] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def watched(self) -> Watched:
        """All of them, once the block of `over` is left."""
        card = self.card
        facts = None if card is None else CardFacts(card.name(), card.index, card.power_limits())
        return Watched(tuple(self.readings), self.cores, facts)

    def run(self, edges_s: Sequence[float], cpus: frozenset[int] | None) -> None:
        """Read now, every second, at each of the edges, and once more when it has ended."""
        _stay_on(cpus)
        began_s = time.monotonic()
        edges, second = list(edges_s), 0
        while not self.ended.is_set():
            self.readings.append(self.reader.read())
            passed_s = time.monotonic() - began_s
            second = max(second + 1, int(passed_s))
            edges = [edge for edge in edges if edge > passed_s]
            self.ended.wait(max(0.0, min([second * _EVERY_S, *edges]) - passed_s))
        self.readings.append(self.reader.read())


def _stay_on(cpus: frozenset[int] | None) -> None:
    """For the calling thread alone, where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        if cpus:
            os.sched_setaffinity(0, cpus)
