"""The processes of this machine as `/proc` shows them: who descends from whom, and the CPU time of each."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.observe.witness.kernel import PROC

_NAME_ENDS = b")"
_PPID, _UTIME, _STARTED, _CORE = 1, 11, 19, 36
"""Fields of `stat` behind the name, from 0 (proc_pid_stat(5) counts from 1, and the name is its second)."""


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the table. Times in seconds; `reaped_s`: of its children that have ended and been waited
    for. `started` tells it from a later one with the same number. `core`: where it ran last."""

    pid: int
    parent: int
    used_s: float
    reaped_s: float
    started: int
    core: int


def read(path: Path) -> Process | None:
    """From a `stat` file, of a process or of one of its threads; None where it has gone."""
    try:
        text = path.read_bytes()
    except OSError:
        return None
    words = text[text.rindex(_NAME_ENDS) + 1 :].split()
    utime, stime, of_children, system_of_children = (int(word) for word in words[_UTIME : _UTIME + 4])
    per_s = os.sysconf("SC_CLK_TCK")
    return Process(
        pid=int(text[: text.index(b" ")]),
        parent=int(words[_PPID]),
        used_s=(utime + stime) / per_s,
        reaped_s=(of_children + system_of_children) / per_s,
        started=int(words[_STARTED]),
        core=int(words[_CORE]),
    )


def threads(pid: int, proc: Path = PROC) -> list[Process]:
    """A line of each of its threads; empty where it has gone."""
    folder = proc / f"{pid}/task"
    return [of for tid in _numbers(folder) if (of := read(folder / f"{tid}/stat")) is not None]


class Descendants:
    """The processes that descend from `roots`, themselves included. One whose parents have ended stays one.

    A process that was seen to be somebody else's is not looked at again, so that a machine with thousands of
    them costs little.
    """

    def __init__(self, roots: Iterable[int], proc: Path = PROC) -> None:
        self._roots = frozenset(roots)
        self._proc = proc
        self._own: dict[int, int] = {}
        self._foreign: set[int] = set()

    def now(self) -> dict[int, Process]:
        """By process number; empty where there is no `/proc`."""
        present = _numbers(self._proc)
        self._foreign &= present
        seen = {pid: of for pid in present - self._foreign if (of := read(self._proc / f"{pid}/stat"))}
        own = {pid: of for pid, of in seen.items() if pid in self._roots or self._own.get(pid) == of.started}
        left = {pid: of for pid, of in seen.items() if pid not in own}
        while found := {pid: of for pid, of in left.items() if of.parent in own}:
            own |= found
            left = {pid: of for pid, of in left.items() if pid not in found}
        self._foreign |= left.keys()
        self._own = {pid: of.started for pid, of in own.items()}
        return own


def _numbers(folder: Path) -> set[int]:
    """Names in a folder of `/proc` that are process numbers; none where it has gone."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return {int(entry.name) for entry in entries if entry.name.isdigit()}
    return set()
