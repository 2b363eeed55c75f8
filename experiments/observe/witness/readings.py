"""Every counter of the machine at one moment, by the names that their series have in series.parquet.

A counter's growth per second is the value of its series: shares of the time are counted in seconds, and
divided by the number of cores where they are about a set of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.observe.witness import kernel
from experiments.observe.witness.nvml import Card
from experiments.observe.witness.own_time import CoreSet, OwnTime

ENGINE, HARNESS = "engine", "harness"
GPU_OTHERS, GPU_OTHERS_BYTES = "gpu_others", "gpu_others_memory_bytes"
CLOCK_HZ = "cpu_clock_hz"


def busy(cores: str) -> str:
    """Name of the series of a core set's busy time."""
    return f"busy_cpu_{cores}_cores_ratio"


def others(cores: str) -> str:
    """The same of what is none of the stack's."""
    return f"others_cpu_{cores}_cores_ratio"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched.

    Attributes:
        roots: processes from which all of the stack's own descend.
        all_known: whether these are all of the stack on this machine; else nothing is said of others.
        engine: the root of the engine's processes; None where that is not known.
        cores: those of the harness, and those of the engine where it was started here, by name.
        gpu_sure: whether the engine computes on a GPU of this machine also where it is not seen there.
    """

    roots: tuple[int, ...]
    all_known: bool
    engine: int | None
    cores: Mapping[str, CoreSet]
    gpu_sure: bool = False


@dataclass(frozen=True, slots=True)
class MachineReading:
    """`counters` grow, `values` are as they are. What could not be read is not among them."""

    unix_s: float
    counters: Mapping[str, float]
    values: Mapping[str, float] = field(default_factory=dict)


class Reader:
    """Reads the machine; one object for the readings of one cell. `card`: the engine's; `own_pids`: the
    stack's processes, which are no others on it."""

    def __init__(self, subject: Subject, card: Card | None, own_pids: frozenset[int]) -> None:
        self._subject = subject
        self._card = card
        self._own_pids = own_pids
        sets = tuple(subject.cores.values())
        self._own = OwnTime(subject.roots, sets, unseen_on=subject.cores.get(HARNESS, frozenset()))

    def read(self) -> MachineReading:
        """Now."""
        spent = kernel.core_seconds()
        own_s = self._own.used_s()
        return MachineReading(
            time.time(), {**self._cpu(spent, own_s), **_waits()}, {**self._clock(spent), **self._gpu()}
        )

    def _cpu(self, spent: Mapping[int, tuple[float, float]], own_s: tuple[float, ...]) -> dict[str, float]:
        found = {}
        for (name, cores), used_s in zip(self._subject.cores.items(), own_s, strict=True):
            counted = [spent[core][0] for core in cores if core in spent]
            if not counted:
                continue
            found[busy(name)] = sum(counted) / len(counted)
            if self._subject.all_known:
                found[others(name)] = (sum(counted) - used_s) / len(counted)
        if spent:
            found["cpu_steal_ratio"] = sum(stolen for _, stolen in spent.values()) / len(spent)
        return found

    def _clock(self, spent: Mapping[int, object]) -> dict[str, float]:
        clock_hz = kernel.clock_hz(self._subject.cores.get(ENGINE) or spent.keys())
        return {} if clock_hz is None else {CLOCK_HZ: clock_hz}

    def _gpu(self) -> dict[str, float]:
        if self._card is None:
            return {}
        found = self._card.series()
        others = self._card.others(self._own_pids)
        if others is not None:
            found |= {
                GPU_OTHERS: float(len(others)),
                GPU_OTHERS_BYTES: sum(of.held_bytes for of in others),
            }
        return found


def _waits() -> dict[str, float]:
    found = {f"{of}_pressure_ratio": waited_s for of, waited_s in kernel.pressure_s().items()}
    throttled_s, swapped_bytes = kernel.throttled_s(), kernel.swapped_bytes()
    found |= {} if throttled_s is None else {"cgroup_throttled_ratio": throttled_s}
    return found | ({} if swapped_bytes is None else {"swap_bytes_per_s": swapped_bytes})
