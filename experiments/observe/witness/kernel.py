"""Counters of the Linux kernel. What this machine does not have is absent from the answer, never zero.

Every counter is in the unit whose growth per second is the series it is named for.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

PROC, CGROUPS, CPUS = Path("/proc"), Path("/sys/fs/cgroup"), Path("/sys/devices/system/cpu")
_STEAL, _COUNTED = 7, 8
"""Fields of a `cpu` line: user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user."""
_PERIOD_S = 0.1
_MOST_CORES = 16


def core_seconds(proc: Path = PROC) -> dict[int, tuple[float, float]]:
    """CPU number → seconds since boot in which it ran programs, and those the hypervisor gave away.

    Interrupts count as neither: most of a harness's are its own packets. Empty where nothing is counted.
    """
    ticks: dict[int, list[int]] = {}
    for words in _lines(proc / "stat"):
        if words[0].startswith("cpu") and words[0] != "cpu":
            ticks[int(words[0][3:])] = [int(word) for word in words[1 : 1 + _COUNTED]]
    if not any(map(any, ticks.values())):
        return {}
    per_s = os.sysconf("SC_CLK_TCK")
    return {core: (sum(of[:3]) / per_s, of[_STEAL] / per_s) for core, of in ticks.items()}


def pressure_s(proc: Path = PROC) -> dict[str, float]:
    """`cpu`, `memory`, `io` → seconds since boot in which some program waited for it (PSI, the kernel's
    Documentation/accounting/psi.rst)."""
    found = {}
    for name in ("cpu", "memory", "io"):
        for words in _lines(proc / "pressure" / name):
            if words[0] == "some":
                found[name] = int(words[-1].removeprefix("total=")) / 1e6
    return found


def throttled_s(proc: Path = PROC, cgroups: Path = CGROUPS) -> float | None:
    """Seconds' worth of quota periods in which this process's cgroup, or one that holds it, had used up its
    CPU quota; of those, the one that was held back most. None where none of them has a quota.
    """
    seen = [of for folder in _cgroup_folders(proc, cgroups) if (of := _throttled_s(folder)) is not None]
    return max(seen, default=None)


def swapped_bytes(proc: Path = PROC) -> float | None:
    """Read from and written to swap since boot, by the whole machine."""
    pages = [int(words[1]) for words in _lines(proc / "vmstat") if words[0] in ("pswpin", "pswpout")]
    return float(sum(pages) * os.sysconf("SC_PAGE_SIZE")) if pages else None


def clock_hz(cores: Collection[int], proc: Path = PROC, cpus: Path = CPUS) -> float | None:
    """Mean clock of these cores now (of the first sixteen, asking costs each an interrupt)."""
    some = sorted(cores)[:_MOST_CORES]
    files = (cpus / f"cpu{core}" / "cpufreq" / "scaling_cur_freq" for core in some)
    found = [int(words[0]) * 1e3 for file in files for words in _lines(file)]
    if not found:
        mhz = [float(words[-1]) for words in _lines(proc / "cpuinfo") if words[:2] == ["cpu", "MHz"]]
        found = [mhz[core] * 1e6 for core in some if core < len(mhz)]
    return sum(found) / len(found) if found else None


def _cgroup_folders(proc: Path, cgroups: Path) -> Iterator[Path]:
    """Where the CPU controller of this process's cgroup and of those above it is, in either version."""
    for words in _lines(proc / "self" / "cgroup"):
        _, controllers, path = words[0].split(":", 2)
        if controllers == "":
            roots: Iterable[Path] = (cgroups, cgroups / "unified")
        elif "cpu" in controllers.split(","):
            roots = (cgroups / controllers, cgroups / "cpu")
        else:
            continue
        for root in roots:
            inside = root / path.lstrip("/")
            yield from (inside, *(above for above in inside.parents if above.is_relative_to(root)))


def _throttled_s(folder: Path) -> float | None:
    counted = {words[0]: int(words[1]) for words in _lines(folder / "cpu.stat")}
    period_s = _quota_period_s(folder)
    if period_s is None or "nr_throttled" not in counted:
        return None
    return counted["nr_throttled"] * period_s


def _quota_period_s(folder: Path) -> float | None:
    """None without a quota."""
    for words in _lines(folder / "cpu.max"):
        return int(words[1]) / 1e6 if words[0] != "max" else None
    for words in _lines(folder / "cpu.cfs_quota_us"):
        if int(words[0]) < 0:
            return None
        return next((int(of[0]) / 1e6 for of in _lines(folder / "cpu.cfs_period_us")), _PERIOD_S)
    return None


def _lines(path: Path) -> list[list[str]]:
    """The words of each line that has any; none where the file cannot be read."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return [words for line in text.splitlines() if (words := line.split())]
