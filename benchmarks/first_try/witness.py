"""Who else computed on the cores of a run, second by second: their busy time less that of our own
processes."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.first_try import proc
from benchmarks.first_try.proc import Process


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine at one time, Unix seconds."""

    at_s: float
    busy_s: Mapping[int, float]
    ours: Mapping[int, tuple[int, Process]]

    @classmethod
    def now(cls, root: int | None = None) -> Moment:
        """`root`: the process whose tree is ours; None: this one."""
        ours = proc.tree(os.getpid() if root is None else root, proc.everything())
        return cls(time.time(), proc.busy_s(Path("/proc/stat").read_text()), ours)


@dataclass(frozen=True, slots=True)
class Foreign:
    """CPU time that others used on each core between two times, seconds; below 0 by what the counters are
    rounded to."""

    start_s: float
    end_s: float
    by_core_s: Mapping[int, float]


def between(before: Moment, after: Moment) -> Foreign:
    """What others used meanwhile. A process counts on the core where it was seen last: those that matter
    are pinned, and the sum over all cores is right in any case."""
    used = _ours(before.ours, after.ours)
    busy = {core: after.busy_s[core] - was for core, was in before.busy_s.items() if core in after.busy_s}
    return Foreign(before.at_s, after.at_s, {core: s - used.get(core, 0.0) for core, s in busy.items()})


def ratio(seconds: Sequence[Foreign], cores: Collection[int], start_s: float, end_s: float) -> float | None:
    """The share of these cores that others used from `start_s` to `end_s` (Unix), 0-1; None where nothing was
    looked at. A second that lies partly inside counts with that part."""
    used_s = length_s = 0.0
    for one in seconds:
        inside_s = min(one.end_s, end_s) - max(one.start_s, start_s)
        if inside_s > 0:
            part = inside_s / (one.end_s - one.start_s)
            used_s += part * sum(one.by_core_s.get(core, 0.0) for core in cores)
            length_s += inside_s
    return max(0.0, used_s / (length_s * len(cores))) if length_s > 0 and cores else None


def _ours(
    before: Mapping[int, tuple[int, Process]], after: Mapping[int, tuple[int, Process]]
) -> dict[int, float]:
    """CPU seconds of our processes by core, of those that ended meanwhile too.

    What a process had used when it ended goes to whoever waited for it, as time of children: less what it
    had used before, the rest is of this time.
    """
    used: dict[int, float] = {}
    ended_s: dict[int, float] = {}
    ended_on: dict[int, int] = {}
    for pid, (started, was) in before.items():
        if after.get(pid, (None,))[0] != started:
            heir = _heir(was.parent, before, after)
            ended_s[heir] = ended_s.get(heir, 0.0) + was.own_s + was.reaped_s
            ended_on[heir] = was.core
    for pid, (started, now) in after.items():
        known = before.get(pid)
        was_s, reaped_s = (known[1].own_s, known[1].reaped_s) if known and known[0] == started else (0.0, 0.0)
        used[now.core] = used.get(now.core, 0.0) + now.own_s - was_s
        of_children_s = max(0.0, now.reaped_s - reaped_s - ended_s.get(pid, 0.0))
        core = ended_on.get(pid, now.core)
        used[core] = used.get(core, 0.0) + of_children_s
    return used


def _heir(
    pid: int, before: Mapping[int, tuple[int, Process]], after: Mapping[int, tuple[int, Process]]
) -> int:
    """The nearest ancestor that still runs."""
    while pid in before and after.get(pid, (None,))[0] != before[pid][0]:
        pid = before[pid][1].parent
    return pid
