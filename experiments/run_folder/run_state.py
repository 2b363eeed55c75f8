"""run.json: what a run was asked, on what it ran, and how far it came."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from experiments.design.probe import Probe
from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.engine_state import EngineStart, EngineState
from experiments.run_folder.provenance import Provenance
from experiments.run_folder.stored_setting import StoredSetting
from experiments.stats.knee import Capacity
from loadtests.slo import SLO


class RunStatus(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    """not ended, or killed"""
    PARTIAL = "partial"
    """ended without some of its cells"""
    COMPLETE = "complete"
    """every cell was measured"""


@dataclass(frozen=True, slots=True)
class Objective:
    """The SLO in force: seconds, none where there is no threshold."""

    text: str
    """as it can be typed"""
    ttft_s: float | None
    tpot_s: float | None
    e2e_s: float | None
    attainment: float | None
    """share of the offered requests that has to meet the thresholds, 0-1"""
    scaled_from: str | None
    """the objective that it was derived from, where the engine was slower than that was made for"""
    ttfv_s: float | None = None
    """to the first visible token, one that is not reasoning"""

    @property
    def slo(self) -> SLO:
        return SLO.parse(self.text)

    @property
    def classes(self) -> tuple[tuple[str, SLO], ...]:
        """The objectives of the load classes; none where all requests have one, or it cannot be read."""
        try:
            return self.slo.classes
        except ValueError:
            return ()

    @classmethod
    def of(cls, slo: SLO, scaled_from: str | None = None) -> Objective:
        """As it is kept: the common bounds as numbers, all of it as text."""
        return cls(str(slo), slo.ttft_s, slo.tpot_s, slo.e2e_s, slo.attainment, scaled_from, slo.ttfv_s)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on two clocks of the machine."""

    unix_s: float
    monotonic_s: float | None


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell of the run, measured or not."""

    id: str
    setting: StoredSetting | None
    workload: Workload
    sentinel: bool = False


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What `tune` was asked beyond the spec: a run goes on only with the same."""

    model: str | None
    """a calibration that is there already"""
    budget_s: float | None
    """engine time for everything"""
    traces: int
    """played for each cell"""
    matrix_only: bool
    """without the start values that follow from objective and model"""
    stair_s: float
    """length of each closed loop of the calibration"""
    burst_s: float
    """length of the calibration's burst"""


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run was asked, on what it ran, and how far it came."""

    name: str
    created_utc: str
    command: tuple[str, ...]
    """the command line, without secrets"""
    spec: dict[str, JsonValue]
    """the spec as pydantic writes it; see experiments/specs"""
    spec_digest: str | None
    """changes whenever any key of the spec does"""
    status: RunStatus
    engine: EngineState | None = None
    slo: Objective | None = None
    probe: Probe | None = None
    """what the probe saw; it scales loads, windows, objective and queue timeout"""
    probes: dict[str, Probe] | None = None
    """of the further workloads, by name"""
    own_probe: Probe | None = None
    """with `--like`: what the probe saw here, while `probe` is the earlier run's"""
    like: str | None = None
    """with `--like`: the earlier run's name"""
    loads: tuple[str, ...] | None = None
    """those in force where the user named none: they follow from the probe"""
    loads_settled: bool = False
    """whether a first look has seen that they tell something, or has moved them"""
    provenance: Provenance | None = None
    anchor: Anchor | None = None
    cells: tuple[PlannedCell, ...] = ()
    """the matrix, in running order"""
    expected_s: float | None = None
    """how long the whole matrix was expected to take"""
    engine_starts: tuple[EngineStart, ...] = ()
    failed: tuple[str, ...] = ()
    """ids of the cells that could not be measured"""
    tune: TuneRequest | None = None
    """of a run of `tune`"""
    capacity: Capacity | None = None
    """of a run of `capacity`: its answer"""
