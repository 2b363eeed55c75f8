"""load.json, as the load generator wrote it; and a load run of its own as a run with a single cell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from experiments.run_folder import codec
from experiments.run_folder.cell_summary import (
    CellSummary,
    EngineLabel,
    MeasuredWindow,
    SeenLimits,
    Workload,
)
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.provenance import Provenance
from experiments.run_folder.run_state import Anchor, Objective, PlannedCell, RunState, RunStatus
from experiments.stack.engine_facts import EngineFacts
from gateway.limits import QueueMode
from loadtests.recording.lengths import ComparedLengths, LengthVerdict
from loadtests.recording.load_run import Asked, Ended, LoadRun
from loadtests.slo import SLO


def read(path: Path) -> LoadRun:
    """What a load run was asked and how it ended.

    Raises:
        NotReadableError: damaged, of another version, or no load.json.
        FileNotFoundError: the load run did not end.
    """
    document = codec.stored(path)
    return LoadRun(codec.from_json(Asked, document, str(path)), codec.from_json(Ended, document, str(path)))


def state_of(run: LoadRun, name: str, cell: str) -> RunState:
    """The state of a run that is a load run of its own."""
    asked, slo = run.asked, SLO.parse(run.asked.slo)
    versions = asked.versions
    return RunState(
        name=name,
        created_utc=datetime.fromtimestamp(asked.started_unix_s, UTC).isoformat(timespec="seconds"),
        command=(),
        spec={},
        spec_digest=None,
        status=RunStatus.COMPLETE if run.ended.complete else RunStatus.PARTIAL,
        engine=EngineState("external", _label(asked), asked.model, asked.host, EngineFacts()),
        slo=Objective(asked.slo, slo.ttft_s, slo.tpot_s, slo.e2e_s, slo.attainment, None, slo.ttfv_s),
        provenance=Provenance(
            python=versions.python, packages={"locust": versions.locust, "gevent": versions.gevent}
        ),
        anchor=Anchor(asked.started_unix_s, asked.started_monotonic_s),
        cells=(PlannedCell(cell, None, _workload(asked)),),
    )


def summary_of(run: LoadRun, cell: str) -> CellSummary:
    """The only cell of such a run."""
    asked, ended = run.asked, run.ended
    of_records, limits = ended.summary, asked.limits
    return CellSummary(
        cell=cell,
        sentinel=False,
        setting=None,
        workload=_workload(asked),
        window=MeasuredWindow(
            start_s=asked.warm_up_s,
            end_s=asked.warm_up_s + asked.measure_s,
            warm_up_s=asked.warm_up_s,
            started_unix_s=asked.started_unix_s,
        ),
        counts=of_records.counts,
        rates=of_records.rates,
        attainment=of_records.attainment,
        latency=of_records.latency,
        outcomes_all_phases=ended.outcomes,
        prometheus={},
        agreement=(),
        ledger=(),
        saturation=None,
        steady_state=None,
        breakdown=None,
        doubts=_doubts(ended),
        engine=EngineLabel(_label(asked)),
        classes=of_records.classes,
        fairness=of_records.fairness,
        limits_seen=None
        if limits is None
        else SeenLimits(limits.max_active, limits.queue_max, QueueMode(limits.queue_mode)),
        lengths=ended.lengths,
        sessions=of_records.sessions,
    )


_OF_LENGTHS = {
    LengthVerdict.UNKNOWN: (DoubtCode.LENGTHS_UNKNOWN, Severity.WARN),
    LengthVerdict.DOUBTFUL: (DoubtCode.LENGTHS, Severity.WARN),
    LengthVerdict.ANOTHER_WORKLOAD: (DoubtCode.LENGTHS, Severity.INVALID),
}


def length_doubts(lengths: ComparedLengths | None) -> list[Doubt]:
    """What the lengths of a load run give reason to doubt."""
    findings = lengths.findings if lengths is not None else ()
    return [Doubt(*_OF_LENGTHS[finding.verdict], finding.text) for finding in findings]


def _label(asked: Asked) -> str:
    return f"{asked.model} at {asked.host}"


def _workload(asked: Asked) -> Workload:
    return Workload(
        load=None,
        scenario=asked.scenario,
        workload=None,
        rate_per_s=asked.rate_per_s,
        relative_load=None,
        block=0,
        seed=asked.seed,
        plan_hash=asked.plan_hash,
        prompt_tokens=asked.prompt_tokens,
        output_tokens=asked.output_tokens,
        answer_lengths=asked.answer_lengths,
    )


def _doubts(ended: Ended) -> tuple[Doubt, ...]:
    late = [Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, reason) for reason in ended.reasons]
    late += length_doubts(ended.lengths)
    if ended.complete:
        return tuple(late)
    text = f"{ended.rebuilt} of {ended.planned} records had to be made up"
    return (*late, Doubt(DoubtCode.RECORDS_LOST, Severity.INVALID, text))
