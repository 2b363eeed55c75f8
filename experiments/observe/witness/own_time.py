"""CPU time of the stack's own processes on sets of cores: what is left of their busy time is others'.

A process that may only run inside a set is counted there whole. One that may run inside and outside is
counted where its threads were last seen. What was used between two looks by processes that have ended since
is told by the parent that waited for them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from experiments.observe.witness import process_table
from experiments.observe.witness.kernel import PROC
from experiments.observe.witness.process_table import Descendants, Process

CoreSet = frozenset[int]


class OwnTime:
    """Seconds that the descendants of `roots` have used on each of the core sets since this was made.

    `unseen_on`: where those count whom no look has seen alive (programs of the harness are short-lived, an
    engine's are not).
    """

    def __init__(
        self, roots: Collection[int], sets: Sequence[CoreSet], unseen_on: CoreSet, proc: Path = PROC
    ) -> None:
        self._tree = Descendants(roots, proc)
        self._sets = tuple(sets)
        self._unseen_on = unseen_on
        self._proc = proc
        self._last = self._tree.now()
        self._threads = {pid: self._thread_times(pid) for pid in self._last if self._cores_of(pid) is None}
        self._used_s = [0.0] * len(self._sets)

    def used_s(self) -> tuple[float, ...]:
        """As many numbers as there are sets; they grow from 0."""
        now = self._tree.now()
        unseen_s = 0.0
        for pid, of in now.items():
            before = self._last.get(pid)
            if before is not None and before.started != of.started:
                before = None
            grown_s = of.used_s - (before.used_s if before else 0.0)
            unseen_s += of.reaped_s - (before.reaped_s if before else 0.0)
            for place, share in enumerate(self._shares(of)):
                self._used_s[place] += share * grown_s
        gone = [of for pid, of in self._last.items() if pid not in now or now[pid].started != of.started]
        unseen_s -= sum(of.used_s + of.reaped_s for of in gone)
        self._last = now
        self._threads = {pid: of for pid, of in self._threads.items() if pid in now}
        for place, cores in enumerate(self._sets):
            if cores & self._unseen_on:
                self._used_s[place] += max(0.0, unseen_s)
        return tuple(self._used_s)

    def _shares(self, of: Process) -> list[float]:
        """How much of what it has just used was used on each set, 0–1."""
        allowed = self._cores_of(of.pid)
        if allowed is not None:
            return [float(allowed <= cores) for cores in self._sets]
        before = self._threads.get(of.pid, {})
        now = self._thread_times(of.pid)
        self._threads[of.pid] = now
        grown = [(core, used_s - before.get(tid, (0, 0.0))[1]) for tid, (core, used_s) in now.items()]
        total_s = sum(grown_s for _, grown_s in grown)
        if total_s <= 0:
            return [float(of.core in cores) for cores in self._sets]
        return [sum(s for core, s in grown if core in cores) / total_s for cores in self._sets]

    def _cores_of(self, pid: int) -> CoreSet | None:
        """The cores that it may use where they lie inside or outside of each set; None where they do both,
        and where that cannot be asked."""
        try:
            allowed = frozenset(os.sched_getaffinity(pid))
        except (OSError, AttributeError):
            return None
        mixed = any(allowed & cores and not allowed <= cores for cores in self._sets)
        return None if mixed else allowed

    def _thread_times(self, pid: int) -> Mapping[int, tuple[int, float]]:
        """Thread → where it ran last, and what it has used."""
        return {of.pid: (of.core, of.used_s) for of in process_table.threads(pid, self._proc)}
