"""summary.json: what one measured cell showed."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.design.cell_purpose import CellPurpose
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.witness.seen import Witness
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.stored_setting import StoredSetting
from experiments.spec.loads import Load
from experiments.speed.judge import CellSpeed
from experiments.stats.agreement import Agreement
from experiments.stats.breakdown import Parts
from experiments.stats.bucket_quantile import BucketQuantile
from experiments.stats.ledger import Check
from experiments.stats.saturation import Saturation
from experiments.stats.steady_state import SteadyState
from gateway.limits import QueueMode
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.recording.fairness import Fairness
from loadtests.recording.lengths import ComparedLengths
from loadtests.recording.session_summary import SessionSummary
from loadtests.recording.summary import Counts, Latencies, LoadSummary, Rates


@dataclass(frozen=True, slots=True)
class Workload:
    """What was offered in one cell."""

    load: str | None
    """the load as it was asked for, such as `burst@1.2x`; none for a load run of its own"""
    scenario: str
    """name of the arrival process"""
    workload: str | None
    """name of the prompt and answer lengths, where the run varies them"""
    rate_per_s: float | None
    """planned arrivals, requests per second"""
    relative_load: float | None
    """that rate over the capacity that the probe saw, of recorded traffic over the recorded one; none where
    the rate was given as such"""
    block: int
    """number of the arrival trace, from 0: every setting meets the same ones"""
    seed: int | None = None
    """of the arrival plan"""
    plan_hash: str | None = None
    """of the arrival plan: equal plans, equal hashes"""
    prompt_tokens: int | None = None
    """planned length of a prompt, where all have one length"""
    output_tokens: int | None = None
    """planned length of an answer, where all have one length; with free lengths only a bound"""
    answer_lengths: AnswerLengths | None = None
    """whether answers had to be as long as planned, or at most so; none where nothing was sent yet"""
    purpose: CellPurpose = CellPurpose.MATRIX
    """what the cell is measured for"""
    mix: str | None = None
    """the load classes, as `--mix` takes them, or the recording that brought them; none where all requests
    are of one kind"""

    @classmethod
    def planned(
        cls,
        load: Load,
        block: int,
        seed: int | None = None,
        *,
        purpose: CellPurpose = CellPurpose.MATRIX,
    ) -> Workload:
        """As a matrix has it, before there is an arrival plan."""
        return cls(
            load=str(load),
            scenario=load.scenario,
            workload=load.workload,
            rate_per_s=load.rate_per_s,
            relative_load=load.relative,
            block=block,
            seed=seed,
            purpose=purpose,
        )


@dataclass(frozen=True, slots=True)
class MeasuredWindow:
    """When the cell was measured, seconds from its first arrival."""

    start_s: float
    end_s: float
    warm_up_s: float
    """arrivals before the window that are not counted"""
    started_unix_s: float
    """the first arrival of the cell, Unix seconds"""

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class BucketQuantiles:
    """Two quantiles as the gateway's histogram knows them."""

    p50: BucketQuantile
    p95: BucketQuantile


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The requests around two quantiles of the E2E latency, taken apart."""

    p50: Parts | None
    p95: Parts | None


@dataclass(frozen=True, slots=True)
class EngineLabel:
    """Which engine made the numbers."""

    label: str


@dataclass(frozen=True, slots=True)
class SeenLimits:
    """The limits in force as the gateway's metrics tell them, where nobody set them for the cell."""

    max_active: int
    queue_max: int
    queue_mode: QueueMode


@dataclass(frozen=True, slots=True)
class CellSummary:
    """What one measured cell showed. A part is none where the run could not know it, or is older than it."""

    cell: str
    """the cell's id, and the name of its folder"""
    sentinel: bool
    """whether the cell is none of the matrix but watches for drift"""
    setting: StoredSetting | None
    """limits of gateway and engine; none for a load run of its own"""
    workload: Workload
    window: MeasuredWindow
    counts: Counts | None
    rates: Rates | None
    attainment: float | None
    """share of the offered requests that met the SLO, 0–1"""
    latency: Latencies | None
    outcomes_all_phases: dict[str, int]
    """requests by outcome, warm-up and drain included"""
    prometheus: dict[str, BucketQuantiles]
    """latencies as the gateway's histograms tell them, by the records' name"""
    agreement: tuple[Agreement, ...]
    """records beside histograms, a row a quantile"""
    ledger: tuple[Check, ...]
    """what client, gateway and engine counted, a row a comparison"""
    saturation: Saturation | None
    steady_state: SteadyState | None
    breakdown: Breakdown | None
    doubts: tuple[Doubt, ...]
    engine: EngineLabel | None
    engine_growth: EngineGrowth | None = None
    """what the engine counted over the cell, every phase"""
    classes: dict[str, LoadSummary] | None = None
    """counts, rates and latencies of each class of requests, where there are several"""
    fairness: Fairness | None = None
    """how evenly tenants were served, where the load has several"""
    limits_seen: SeenLimits | None = None
    """of a load run of its own"""
    lengths: ComparedLengths | None = None
    """of prompts and answers as the engine reports them against as asked for; none in older runs"""
    speed: CellSpeed | None = None
    """how fast the engine was, against the other cells of the run; none before they are there"""
    witness: Witness | None = None
    """the machine in the measured window: who else computed on it, what held it back"""
    sessions: SessionSummary | None = None
    """of whole sessions, where the load has some"""

    @property
    def invalid_codes(self) -> frozenset[DoubtCode]:
        """Codes of the doubts that say the numbers must not be used; empty for a valid cell."""
        return frozenset(doubt.code for doubt in self.doubts if doubt.severity is Severity.INVALID)
