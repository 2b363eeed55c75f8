"""Measuring a cell and saving it: what is asked of whom in which order, and what is left when it fails."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.errors import EnvironmentProblem
from experiments.measure import cell as measuring
from experiments.measure.cell import LOG_NAME, FinishedLoad, MeasurementContext, PreparedCell, measure, save
from experiments.measure.summary import KnownEngine
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.witness.readings import HARNESS, Subject
from experiments.observe.witness.watch import Watch
from experiments.run_folder import codec, journal
from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.engine_state import EngineState
from experiments.run_folder.folder import RunDir, open_or_create
from experiments.run_folder.measured_cell import read_cell
from experiments.spec.loads import Load
from experiments.stack.cores import usable
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.engine_knobs import EngineKnobs
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.reach.endpoint import Endpoint
from loadtests.slo import SLO
from tests.experiments.design.test_cells import PROBE
from tests.experiments.measure import fake_stack, hand_made
from tests.experiments.measure.fake_stack import FakeStack

SHORT = plans.make("sustained", 400.0, 0.05, 0.25, 7, mix=Mix.fixed(64, 24))
"""Over in a moment, with a hundred measured requests."""
CELL = replace(hand_made.CELL, load=Load("sustained", 400.0, None))
OBJECTIVE = SLO.parse("ttft<=0.5s,attainment>=0.95")


@dataclass(slots=True)
class Ground:
    """A run folder, the stack before it, and what the generator will leave."""

    run: RunDir
    stack: FakeStack
    context: MeasurementContext
    made: Path
    open: ExitStack
    drains: list[list[str]] = field(default_factory=list)
    """what had been asked each time that a drain was told"""

    @property
    def partial(self) -> Path:
        return self.run.path / "cells" / f".{CELL.id}.partial"

    def prepared(
        self, plan: Plan = SHORT, *, engine_known: bool = True, drain_s: float = 5.0
    ) -> PreparedCell:
        folder = self.run.begin_cell(CELL.id)
        load = fake_stack.generator(self.stack, folder, self.made, folder / LOG_NAME)
        self.open.callback(load.stop)
        engine = Endpoint.parse(f"{self.stack.url}/engine") if engine_known else None
        return PreparedCell(CELL, plan, folder, load, drain_s, engine)

    def draining(self) -> None:
        """The last request was due: the generator may end."""
        self.drains.append(list(self.stack.log))
        (self.made / "drained").touch()

    def measured(self, *, engine_known: bool = True) -> FinishedLoad:
        return measure(self.prepared(engine_known=engine_known), self.context, self.draining)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    records = hand_made.records({"rejected_full": 5, "queue_timeout": 3}, SHORT, lambda arrival: 0.01)
    made = tmp_path / "made"
    made.mkdir()
    fake_stack.leave(records, made)
    run, _ = open_or_create(tmp_path, tmp_path / "run", sweep_args.parse(()).spec, ("test",))
    with ExitStack() as opened:
        opened.callback(run.close)
        stack = opened.enter_context(fake_stack.running(records))
        admin = GatewayAdmin(Endpoint.parse(stack.url), None)
        opened.callback(admin.close)
        metrics = ServerMetrics(f"{stack.url}/prometheus")
        context = MeasurementContext(run, admin, metrics, OBJECTIVE, "EMULATOR (fake)", None)
        yield Ground(run, stack, context, made, opened)


READ = ["GET /engine/metrics", "GET /metrics"]


def test_counters_are_read_while_nothing_is_in_flight(ground: Ground) -> None:
    """A generator that is ready, an idle gateway, the limits, one reading; the load; the same again."""
    ground.measured()
    log = ground.stack.log
    assert log[:4] == ["POST /generator/ready", "GET /admin/state", "PUT /admin/limits", "GET /admin/limits"]
    assert sorted(log[4:6]) == READ
    assert log[6] == "POST /generator/load"
    assert log[7:9] == ["POST /generator/end", "GET /admin/state"]
    assert sorted(log[9:]) == READ


def test_the_drain_is_told_once_between_the_last_arrival_and_the_end(ground: Ground) -> None:
    """What is done there disturbs no measured request."""
    ground.measured()
    (seen,) = ground.drains
    assert seen[-1] == "POST /generator/load"


def test_requests_of_an_earlier_load_are_waited_for(ground: Ground) -> None:
    """A gateway that still serves or queues somebody is not idle."""
    ground.stack.states = [(1, 0), (0, 2)]
    ground.measured()
    assert ground.stack.log[1:5] == [*["GET /admin/state"] * 3, "PUT /admin/limits"]


def test_the_cells_limits_are_in_force(ground: Ground) -> None:
    """As the gateway says it itself, with its version."""
    offered = ground.measured()
    assert offered.in_force == replace(CELL.setting.limits, version=2)
    assert ground.stack.limits == offered.in_force


def test_limits_that_do_not_come_into_force_are_no_cell(ground: Ground) -> None:
    """Nothing is offered to a gateway that is not set as the cell says."""
    ground.stack.takes_limits = False
    prepared = ground.prepared()
    with pytest.raises(EnvironmentProblem, match=r"reports .*'max_active': 2.* after being set to"):
        measure(prepared, ground.context, ground.draining)
    assert "POST /generator/load" not in ground.stack.log
    assert not prepared.load.go_file.exists()
    assert ground.drains == []


def test_a_generator_that_leaves_no_result_is_told_with_its_last_words(ground: Ground) -> None:
    """Nothing was drained, no cell comes of it, and what there is stays."""
    (ground.made / "load.json").unlink()
    offered = measure(ground.prepared(hand_made.PLAN), ground.context, ground.draining)
    assert ground.drains == []
    with pytest.raises(
        EnvironmentProblem, match=r"ended \(3\) without a result.*\n.*boom: no worker is left"
    ):
        save(offered, ground.context)
    assert not ground.run.is_done(CELL.id)
    assert (ground.partial / LOG_NAME).exists()


def test_a_generator_that_does_not_end_is_given_up(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """After drain and grace; the sentence names its log."""
    monkeypatch.setattr(measuring, "_GRACE_S", 0.0)
    prepared = ground.prepared(drain_s=0.2)
    with pytest.raises(EnvironmentProblem, match=f"did not end; see .*{LOG_NAME}"):
        measure(prepared, ground.context, lambda: None)


def test_a_cell_appears_whole(ground: Ground) -> None:
    """While it is being saved there is no such cell; then it has everything, and no more than that."""
    offered = ground.measured()
    seen: list[bool] = []
    ground.stack.when_queried = lambda: seen.append(ground.run.is_done(CELL.id))
    summary = save(offered, ground.context)
    assert seen
    assert not any(seen)
    assert ground.run.is_done(CELL.id)
    assert not ground.partial.exists()
    folder = ground.run.cell(CELL.id)
    assert {path.name for path in folder.iterdir()} == {
        "cell.json", "summary.json", "load.json", "records.parquet", "series.parquet",
        "steps.parquet", LOG_NAME,
    }  # fmt: skip
    assert codec.read(CellSummary, folder / "summary.json") == summary
    applied = codec.read(AppliedSetting, folder / "cell.json")
    assert applied == AppliedSetting(CELL.id, CELL.setting, replace(CELL.setting.limits, version=2))
    assert read_cell(folder).records() == [
        replace(record, chunk_times_s=list(record.chunk_times_s)) for record in ground.stack.records
    ]


def test_the_summary_is_of_what_this_cell_added_to_the_counters(ground: Ground) -> None:
    """Gateway and engine had counted before; nothing of it is in the ledger."""
    summary = save(ground.measured(), ground.context)
    assert summary.counts is not None
    served = SHORT.offered("measure") - 8
    assert summary.counts.outcomes == {"ok": served, "rejected_full": 5, "queue_timeout": 3}
    assert [check.what for check in summary.ledger if not check.agrees] == []
    assert any(check.what == "request-seconds, gateway and engine" for check in summary.ledger)
    assert [row for row in summary.agreement if not row.agrees] == []
    assert summary.prometheus == hand_made.histograms(ground.stack.records)
    grown = summary.engine_growth
    assert grown is not None
    assert grown.request_s == pytest.approx(ground.stack.engine.request_s)
    assert grown.queue_s == pytest.approx(ground.stack.engine.queue_s)
    assert grown.prefill_s == pytest.approx(ground.stack.engine.prefill_s)
    assert (grown.requests, grown.preemptions) == (ground.stack.engine.requests, 0.0)
    wrong = {DoubtCode.LEDGER, DoubtCode.REQUEST_SECONDS, DoubtCode.SOURCES_DISAGREE, DoubtCode.SCRAPE_GAP}
    assert wrong.isdisjoint(doubt.code for doubt in summary.doubts)
    assert summary.window.started_unix_s == hand_made.STARTED_UNIX_S


def test_the_machine_is_watched_while_the_load_is_on(ground: Ground) -> None:
    """At both ends of the window: what others did in it is in the summary, and the series lie beside
    Prometheus's."""
    subject = Subject((os.getpid(),), all_known=True, engine=None, cores={HARNESS: frozenset(usable())})
    prepared = replace(ground.prepared(), watch=Watch(subject))
    offered = measure(prepared, ground.context, ground.draining)
    assert offered.watched is not None
    first, last = offered.watched.readings[0].unix_s, offered.watched.readings[-1].unix_s
    assert last - first >= SHORT.duration_s
    # The hand-made load began at another time than now.
    by = hand_made.STARTED_UNIX_S - first
    moved = tuple(replace(of, unix_s=of.unix_s + by) for of in offered.watched.readings)
    summary = save(replace(offered, watched=replace(offered.watched, readings=moved)), ground.context)
    assert summary.witness is not None
    assert summary.witness.readings >= 1
    if sys.platform == "linux":
        assert summary.witness.harness_cores is not None
        assert summary.witness.harness_cores.others_ratio is not None
    assert codec.read(CellSummary, ground.run.cell(CELL.id) / "summary.json") == summary


def test_an_engine_that_cannot_be_asked_is_known_from_prometheus(ground: Ground) -> None:
    """Between the first and the last scrape of the cell."""
    summary = save(ground.measured(engine_known=False), ground.context)
    assert "GET /engine/metrics" not in ground.stack.log
    assert summary.engine_growth == ground.stack.engine


def test_a_cell_of_another_gateway_or_other_limits_is_not_believed(ground: Ground) -> None:
    """Somebody sets the limits while it runs; the gateway's own page tells, where no scrape saw it."""

    def draining() -> None:
        ground.stack.limits = ground.stack.limits.changed(queue_max=1)
        ground.draining()

    summary = save(measure(ground.prepared(), ground.context, draining), ground.context)
    assert DoubtCode.LIMITS_DIFFER in summary.invalid_codes
    (text,) = [doubt.text for doubt in summary.doubts if doubt.code is DoubtCode.LIMITS_DIFFER]
    assert "limits were changed in the cell (version 3 in place of 2)" in text


def test_the_journal_says_when_the_cell_was_measured(ground: Ground) -> None:
    """Plan, goodput, and the begin of each phase; the end is that of the last request."""
    summary = save(ground.measured(), ground.context)
    (event,) = journal.read(ground.run.path / "journal.jsonl")
    assert summary.rates is not None
    assert (event["event"], event["cell"], event["plan"]) == ("cell_done", CELL.id, SHORT.hash)
    assert event["goodput_per_s"] == summary.rates.goodput_per_s
    began_s = hand_made.STARTED_UNIX_S
    ended_s = max(record.finished_s or 0.0 for record in ground.stack.records)
    assert event["warm_up_unix_s"] == pytest.approx(began_s)
    assert event["measure_unix_s"] == pytest.approx(began_s + 0.05)
    assert event["drain_unix_s"] == pytest.approx(began_s + 0.3)
    assert event["ended_unix_s"] == pytest.approx(began_s + ended_s, abs=1e-3)


def test_a_prometheus_that_fails_leaves_what_was_measured(ground: Ground) -> None:
    """No cell, and nothing lost: the generator's files are still there."""
    offered = ground.measured()
    ground.stack.prometheus_status = 400
    with pytest.raises(EnvironmentProblem, match=r"Prometheus at .* did not answer"):
        save(offered, ground.context)
    assert not ground.run.is_done(CELL.id)
    assert json.loads((ground.partial / "load.json").read_text())["complete"] is True
    assert (ground.partial / "records.jsonl").exists()


def test_the_capacity_is_that_of_the_engine_that_was_probed(ground: Ground) -> None:
    """Of the cell's own workload; unknown without a probe, and with other limits of the engine."""
    context, run = replace(ground.context, engine_max_running=64), ground.run
    assert context.engine(CELL) == KnownEngine("EMULATOR (fake)", 64, None)
    chat = replace(PROBE, capacity_per_s=4.0)
    run.save(replace(run.state, probe=PROBE, probes={"chat": chat}))
    assert context.engine(CELL) == KnownEngine("EMULATOR (fake)", 64, PROBE.capacity_per_s)
    talking = replace(CELL, load=replace(CELL.load, workload="chat"))
    assert context.engine(talking).capacity_per_s == 4.0
    batch = replace(CELL, setting=CELL.setting.on(EngineKnobs(8)))
    assert context.engine(batch).capacity_per_s is None
    facts = EngineFacts(knobs={"max_num_seqs": 8})
    run.save(replace(run.state, engine=EngineState("emulator", "EMULATOR (fake)", "tiny", None, facts)))
    assert context.engine(batch).capacity_per_s == PROBE.capacity_per_s
    assert context.engine(CELL).capacity_per_s is None


def test_a_cell_that_began_late_is_one_of_its_block(ground: Ground) -> None:
    """Its summary names the plan that all cells of the block are a part of, not the part that it played."""
    prepared = replace(ground.prepared(), arrivals="of the block")
    summary = save(measure(prepared, ground.context, ground.draining), ground.context)
    assert summary.workload.plan_hash == "of the block"
    assert summary.window.warm_up_s == SHORT.header.warm_up_s
