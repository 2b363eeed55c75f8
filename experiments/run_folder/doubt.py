"""Reasons to distrust a cell's numbers: a closed set of codes, each with how serious it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a doubt does to its cell, least first."""

    INFO = "info"
    """explains; changes nothing"""
    WARN = "warn"
    """stands beside the numbers"""
    INVALID = "invalid"
    """keeps the cell out of every decision"""


class DoubtCode(StrEnum):
    """What is wrong, in one word that filters and tests can rely on."""

    CLIENT_SATURATED = "client_saturated"
    """the load generator was too slow"""
    RECORDS_LOST = "records_lost"
    """a planned request has no record"""
    CUT = "cut"
    """requests were still running when the drain ended"""
    FEW_REQUESTS = "few_requests"
    """too few measured requests for a p95"""
    LOAD_NOT_DELIVERED = "load_not_delivered"
    """the offered rate is not the planned one"""
    LEDGER = "ledger"
    """client and gateway count differently"""
    REQUEST_SECONDS = "request_seconds"
    """client, gateway and engine add up different times"""
    SOURCES_DISAGREE = "sources_disagree"
    """records and Prometheus tell different quantiles"""
    SCRAPES_MISSING = "scrapes_missing"
    """Prometheus hardly saw the cell"""
    SCRAPE_GAP = "scrape_gap"
    """Prometheus missed a part of the cell"""
    SERIES_EMPTY = "series_empty"
    """a series that was expected has no sample"""
    LIMITS_DIFFER = "limits_differ"
    """the limits in force were not those of the cell, its lanes changed, or the gateway was another one"""
    CPU_STOLEN = "cpu_stolen"
    """the host gave CPU time to others"""
    OTHERS_BUSY = "others_busy"
    """other programs ran on the cores of the engine or of what measures it"""
    CPU_THROTTLED = "cpu_throttled"
    """a CPU quota held the stack back"""
    SWAPPING = "swapping"
    """the machine swapped"""
    ENGINE_RESTARTED = "engine_restarted"
    """the engine's counters began anew"""
    PREFIX_CACHE = "prefix_cache"
    """prompts that were meant to be unique hit the prefix cache"""
    LENGTHS = "lengths"
    """prompts or answers are not as long as they were asked for: another workload"""
    LENGTHS_UNKNOWN = "lengths_unknown"
    """the engine does not report the tokens of prompts or answers"""
    NOT_STEADY = "not_steady"
    """the level changed inside the window"""
    CANNOT_BE_STEADY = "cannot_be"
    """the backlog grew to the end"""
    DRIFT = "drift"
    """the machine changed between blocks"""
    DISTURBED = "disturbed"
    """something slowed the engine down, so its speed was not the run's"""
    GPU_SLOWDOWN = "gpu_slowdown"
    """the hardware slowed the GPU down"""
    GPU_THERMAL = "gpu_thermal"
    """the GPU was too hot and clocked down"""
    GPU_HOT = "gpu_hot"
    """the GPU was close to clocking down"""
    GPU_POWER_CAP = "gpu_power_cap"
    """the GPU ran at its power limit"""
    GPU_POWER_LIMIT = "gpu_power_limit"
    """the GPU's power limit is below its default"""
    GPU_OTHERS = "gpu_others"
    """other processes computed on the GPU"""
    GPU_CLOCK = "gpu_clock"
    """the GPU's clock was below the run's"""
    GPU_MEMORY = "gpu_memory"
    """another process used the GPU's memory"""
    OTHER = "other"
    """a doubt that another version of Headroom has a word for"""

    @classmethod
    def _missing_(cls, value: object) -> DoubtCode | None:
        """What is in doubt stays so, whatever its code."""
        return cls.OTHER if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to distrust a cell."""

    code: DoubtCode
    severity: Severity
    text: str
    """a sentence: what was seen, and what to do about it"""


def worst(doubts: Iterable[Doubt]) -> Severity | None:
    """The greatest severity among `doubts`; None without any."""
    order = list(Severity)
    return max((doubt.severity for doubt in doubts), key=order.index, default=None)
