"""What /proc tells: busy time of each core, and CPU time of the processes below one. Linux only.

On purpose nothing of the product's own reading of the same: this is what that one is judged by.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment.

    Attributes:
        own_s: CPU time it has used.
        reaped_s: CPU time of its children that ended and were waited for, theirs included.
        core: that it ran on last.
    """

    parent: int
    own_s: float
    reaped_s: float
    core: int


def busy_s(stat: str) -> dict[int, float]:
    """Busy seconds of each core since the machine's start, from the text of /proc/stat: everything but idle
    and waiting for a disk; what a hypervisor took counts as busy."""
    found = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            found[int(name[3:])] = (user + nice + system + irq + softirq + steal) * TICK_S
    return found


def parsed(stat: str) -> tuple[int, Process]:
    """When it started (ticks), and the process, from the text of /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    user, system, child_user, child_system = map(int, fields[11:15])
    return int(fields[19]), Process(
        parent=int(fields[1]),
        own_s=(user + system) * TICK_S,
        reaped_s=(child_user + child_system) * TICK_S,
        core=int(fields[36]),
    )


def everything() -> dict[int, tuple[int, Process]]:
    """Every process by its number: when it started, and the rest."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = parsed(path.read_text(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return found


def tree(root: int, processes: Mapping[int, tuple[int, Process]]) -> dict[int, tuple[int, Process]]:
    """`root` and everything below it."""
    children: dict[int, list[int]] = {}
    for pid, (_, process) in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in processes:
            found[pid] = processes[pid]
            todo += children.get(pid, ())
    return found
