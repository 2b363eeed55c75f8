"""What the witness says of one measured window, as summary.json holds it. What is not known is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoresSeen:
    """A set of cores over the window. Shares are of the time of all of them, 0–1."""

    cores: tuple[int, ...]
    """their CPU numbers"""
    busy_ratio: float
    """in which they ran any program; interrupts are not counted"""
    others_ratio: float | None = None
    """in which they ran programs that are no part of the stack; none where its processes are not all known"""
    others_worst_ratio: float | None = None
    """the same in the worst second"""


@dataclass(frozen=True, slots=True)
class CardSeen:
    """The engine's GPU over the window, as NVML tells it."""

    name: str
    index: int
    """of the card, as NVML counts"""
    others: int | None = None
    """most processes that computed on it at once beside the engine; none where the engine is not seen"""
    others_memory_bytes: float | None = None
    """the most that they held"""
    clock_hz: float | None = None
    """mean of the SM clock"""
    temperature_c: float | None = None
    """the highest"""
    power_cap_ratio: float | None = None
    """share of the readings in which the power limit held the clock down"""
    slowed_ratio: float | None = None
    """share of the readings in which heat or a power brake did"""
    power_limit_w: float | None = None
    """in force"""
    power_limit_default_w: float | None = None
    """that the card comes with"""


@dataclass(frozen=True, slots=True)
class Witness:
    """The machine in one measured window. Shares are of its length, 0–1."""

    readings: int
    """of the counters inside the window, about one a second"""
    engine_cores: CoresSeen | None = None
    """those that the engine may use; none for one that was not started here"""
    harness_cores: CoresSeen | None = None
    """those of gateway, load generator and all else that measures"""
    clock_hz: float | None = None
    """mean clock of the engine's cores (or all, where those are not known)"""
    cpu_steal_ratio: float | None = None
    """of all cores, given to others by the hypervisor"""
    cpu_pressure_ratio: float | None = None
    """in which some program of the machine waited for a core"""
    memory_pressure_ratio: float | None = None
    """in which one waited for memory"""
    io_pressure_ratio: float | None = None
    """in which one waited for a disk"""
    cgroup_throttled_ratio: float | None = None
    """of the periods of this process's CPU quota, in which it was used up"""
    swap_bytes_per_s: float | None = None
    """read from and written to swap by the whole machine"""
    gpu: CardSeen | None = None
