"""load.json: what a load run was asked, how it ended, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.planning.optional_fields import AnswerLengths, UsageFields
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.recording.lengths import ComparedLengths
from loadtests.recording.saturation import Lags
from loadtests.recording.summary import LoadSummary

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class PromptLengths:
    """Whether prompts are as long as planned."""

    exact: bool
    note: str
    """how words were found to cost tokens"""


@dataclass(frozen=True, slots=True)
class Versions:
    """Of what shapes the sending."""

    locust: str
    gevent: str
    python: str


@dataclass(frozen=True, slots=True)
class CpuShare:
    """Of one core, 0-1, over the seconds of all sending processes; none without a sample."""

    mean: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class LimitsSeen:
    """The gateway's limits in force at the end, as its metrics tell them."""

    max_active: int
    queue_max: int
    queue_mode: str
    """`queue`, or `reject` where nobody may wait"""

    @classmethod
    def of(cls, gauges: Mapping[str, float]) -> LimitsSeen | None:
        """From the gauges by the limits' names; none where the target has none."""
        if "max_active" not in gauges:
            return None
        queue_max = int(gauges.get("queue_max", 0))
        return cls(int(gauges["max_active"]), queue_max, "queue" if queue_max else "reject")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the run was asked, and on what it ran."""

    started_unix_s: float
    """the first arrival's clock zero, Unix seconds"""
    started_monotonic_s: float
    """the same instant on the monotonic clock"""
    ended_unix_s: float
    host: str
    """address of gateway or engine"""
    model: str
    scenario: str
    workload: str
    rate_per_s: float
    """planned arrivals; 0 in a closed loop"""
    warm_up_s: float
    measure_s: float
    plan_hash: str
    slo: str
    prompts: PromptLengths
    notes: tuple[str, ...]
    """what the plan has to say of itself"""
    senders: int
    load_average: float
    versions: Versions
    seed: int | None = None
    prompt_tokens: int | None = None
    """planned, where all have one length"""
    output_tokens: int | None = None
    limits: LimitsSeen | None = None
    """none against a bare engine"""
    answer_lengths: AnswerLengths = AnswerLengths.FORCED
    """whether answers had to be as long as planned, or at most so"""
    usage: UsageFields = UsageFields.ASKED
    """whether streams were asked for their token counts"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the run ended and what it came to."""

    planned: int
    recorded: int
    rebuilt: int
    """records that were made up at the end for arrivals of dead workers"""
    complete: bool
    """whether every planned request has a record of its own"""
    ended: str
    """completed, stopped, run_time, SIGINT or SIGTERM"""
    lost_workers: tuple[str, ...]
    outcomes: dict[str, int]
    """requests by how they ended, every phase"""
    send_lag: Lags
    """due time to sending, seconds"""
    hub_lag: Lags
    """how late a sleeper of the sending process wakes, seconds"""
    cpu: CpuShare
    client_saturated: bool
    """whether the generator bent its own numbers"""
    reasons: tuple[str, ...]
    """how, in words"""
    exit_code: int
    summary: LoadSummary
    """of the measured phase"""
    lengths: ComparedLengths | None = None
    """as reported by the engine against as asked for, measured phase"""
    chunk_times: ChunkTimes | None = None
    """which clock the times of the answers are from; none in runs from before it was noted"""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """A load run as a whole; load.json holds the fields of both side by side."""

    asked: Asked
    ended: Ended

    def to_json(self) -> dict[str, Any]:
        """As load.json has it."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self.asked), **asdict(self.ended)}
