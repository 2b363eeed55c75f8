"""A run from its preparation to load.json, as the local process or the master sees it."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

import gevent
import locust
from gevent.event import Event

from loadtests.outcome import Outcome
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import TokenCost
from loadtests.reach.control import Control
from loadtests.record import RequestRecord
from loadtests.recording import scrape
from loadtests.recording.lengths import compare
from loadtests.recording.live import Live, Progress
from loadtests.recording.load_run import Asked, LimitsSeen, LoadRun, PromptLengths, Versions
from loadtests.recording.numbers import Numbers, of_run
from loadtests.recording.recorder import LocalRecorder, MasterRecorder
from loadtests.recording.result import Ending, SenderFacts, result
from loadtests.recording.run_folder import RunFolder, new_cell_folder
from loadtests.recording.saturation import load_average
from loadtests.recording.so_far import SoFar
from loadtests.running.locust_statistics import LocustStatistics
from loadtests.running.locust_types import LocustEnvironment
from loadtests.running.series import Series
from loadtests.sending.bodies import Bodies
from loadtests.sending.hub_probe import HubProbe
from loadtests.sending.sender import Sender
from loadtests.sending.target_facts import model_name, prompt_cost
from loadtests.settings import Settings, objective_of

log = logging.getLogger("loadtests")


class Prepared:
    """Everything that can be done before the start: the plan, the target asked, the folder made."""

    def __init__(self, settings: Settings, plan_hash: str = "") -> None:
        """`plan_hash`: the only plan that may be sent, where one was shown before.

        Raises ValueError (the user's settings), UnreachableError or FileExistsError; each a sentence.
        """
        self.plan: Plan = settings.plan.make()
        if plan_hash not in ("", self.plan.hash):
            raise ValueError("these settings make another plan than the one shown: look at it, start again")
        control = Control(settings.target)
        self.settings = replace(
            settings,
            model=model_name(control, settings.model),
            slo=objective_of(settings.slo, self.plan.header.classes),
        )
        tokenizer = Control(settings.tokenizer) if settings.tokenizer else control
        self.cost: TokenCost = settings.prompt_cost() or prompt_cost(tokenizer, self.settings.model)
        control.close()
        tokenizer.close()
        self.folder = RunFolder(settings.run_dir or new_cell_folder(Path(settings.runs_dir), self.plan))
        self.folder.create(self.plan)


def make_bodies(settings: Settings, plan: Plan, cost: TokenCost) -> Bodies:
    """Bodies under these settings; the run's salt is in them."""
    return Bodies(
        settings.model,
        cost,
        salt=settings.prompt_salt,
        chunk_usage=settings.chunk_usage,
        plan=plan.arrivals,
        fields=settings.fields,
    )


class Run:
    """A run in progress on the local process or the master."""

    def __init__(self, prepared: Prepared, environment: LocustEnvironment, *, distributed: bool) -> None:
        self.prepared = prepared
        self.plan, self.settings, self.folder = prepared.plan, prepared.settings, prepared.folder
        opened = self.plan.header.loop == "open"
        self.live = Live(
            due_s=[a.due_s for a in self.plan.arrivals] if opened else (),
            planned=len(self.plan) if opened else 0,
            measured=SoFar(self.plan, self.settings.slo) if environment.web_ui is not None else None,
        )
        self.series: Series | None = None
        self.facts: list[SenderFacts] = []
        self.workers: list[str] = []
        self.lost_workers: dict[str, float] = {}
        self.why = "completed"
        self.done = Event()
        self.sender: Sender | None = None
        self._environment = environment
        self._distributed = distributed
        self.ended: LoadRun | None = None
        self._probe = HubProbe()
        self._finished = False
        self.start_s = 0.0
        self.start_unix_s = 0.0

    def set_start(self, lead_s: float) -> None:
        """Fix t = 0, `lead_s` from now: one monotonic instant and the UTC time of the same instant."""
        self.start_s, self.start_unix_s = time.monotonic() + lead_s, time.time() + lead_s
        file = self.folder.open_records()
        if self._distributed:
            self.master_recorder = MasterRecorder(file, self.live, self.start_s)
        else:
            statistics = LocustStatistics(self._environment)
            self.recorder = LocalRecorder(file, self.live, statistics.add, self.start_s)

    def send(self) -> None:
        """Send the whole plan from this process; returns when every request has its record."""
        assert self.sender is not None
        probe = self._probe = HubProbe()
        probing = gevent.spawn(probe.run)
        try:
            self.sender.run(self.start_s)
        finally:
            probing.kill()
            times = self.sender.chunk_times
            self.facts.append(SenderFacts(probe.hub_lags_s, probe.cpu_shares, self.live.recorded, times))
            self.done.set()

    def make_sender(self) -> None:
        """The sender of a run in one process, with its bodies written; before t = 0 is fixed."""
        bodies = make_bodies(self.settings, self.plan, self.prepared.cost)
        if self.plan.header.loop == "open":
            bodies.prepare(self.plan.arrivals)
        progress = self.live.senders["here"] = Progress()
        self.sender = Sender(self.plan, self.plan.share(), bodies, self.settings, self._take, progress)

    def _take(self, record: RequestRecord) -> None:
        self.recorder.take(record)

    def user_stopped(self) -> None:
        """In one process nothing but Stop stops the user."""
        self.end("stopped")

    def end(self, why: str) -> None:
        """End early: what is in flight is cut, the rest counted as not sent."""
        if self.why == "completed":
            self.why = why
        if self.sender is not None:
            self.sender.finish(f"the run was ended ({why})")
        self.done.set()

    def finish(self, *, gate: bool) -> LoadRun | None:
        """Reconcile plan and records, write load.json; None when that was done before."""
        if self._finished:
            return None
        self._finished = True
        rebuilt = self._reconcile() if self._distributed else 0
        (self.master_recorder if self._distributed else self.recorder).close()
        ending = Ending(self.why, list(self.lost_workers), rebuilt)
        table, asked = self.folder.table(), self._asked()
        lengths = compare(table, self.plan, self.settings.fields.lengths, self.prepared.cost)
        ended = result(table, self.plan, self.settings.slo, self.facts, ending, lengths, gate=gate)
        run = LoadRun(asked, ended)
        self.folder.save_load(run)
        self.ended = run
        return run

    def numbers(self) -> Numbers | None:
        """What the measured phase has come to: in the end as in load.json; None before where nobody looks."""
        if self.ended is not None:
            return of_run(self.ended)
        self.live.add_sender(*self._probe.news())
        return self.live.numbers(time.monotonic() - self.start_s, self.settings.slo)

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.folder.path.name if self.settings.run_dir else self.folder.path.parent.parent.name

    def watch(self, series: Series) -> None:
        """Gather points for the live page until the run ends."""
        self.series = series
        gevent.spawn(series.run, self.live, self.start_s, self.done.is_set)

    def _asked(self) -> Asked:
        settings, header = self.settings, self.plan.header
        with contextlib.closing(scrape.Page(settings.gateway_metrics, scrape.LIMITS)) as page:
            limits = page.read()
        return Asked(
            started_unix_s=self.start_unix_s,
            started_monotonic_s=self.start_s,
            ended_unix_s=time.time(),
            host=settings.target.url,
            model=settings.model,
            scenario=header.scenario,
            workload=header.workload,
            rate_per_s=header.rate_per_s,
            warm_up_s=header.warm_up_s,
            measure_s=header.measure_s,
            plan_hash=self.plan.hash,
            slo=str(settings.slo),
            prompts=PromptLengths(self.prepared.cost.exact, self.prepared.cost.note),
            notes=tuple(header.notes),
            senders=max(1, len(self.facts)),
            load_average=load_average(),
            versions=Versions(locust.__version__, gevent.__version__, sys.version.split()[0]),
            seed=header.seed,
            prompt_tokens=header.tokens("prompt_tokens"),
            output_tokens=header.tokens("output_tokens"),
            answer_lengths=settings.fields.lengths,
            usage=settings.fields.usage,
            limits=LimitsSeen.of(limits),
        )

    def _reconcile(self) -> int:
        """Take what dead workers left on this machine's disk, then make records for what no
        one has; how many."""
        for place, worker in enumerate(self.workers):
            spool = self.folder.spool_path(place)
            if worker in self.lost_workers and spool.exists():
                whole, _, _ = spool.read_bytes().rpartition(b"\n")
                self.master_recorder.take_lines(whole)
            spool.unlink(missing_ok=True)
        if self.plan.header.loop == "closed":
            return 0
        noticed_s = min(self.lost_workers.values(), default=time.monotonic() - self.start_s)
        missing = [a for a in self.plan.arrivals if a.i not in self.master_recorder.recorded]
        for arrival in missing:
            due = arrival.due_s <= noticed_s
            self.master_recorder.take(
                RequestRecord(
                    i=arrival.i, request_id="", phase=arrival.phase, cls=arrival.cls, session=arrival.session,
                    due_s=arrival.due_s, outcome=Outcome.CUT if due else Outcome.NOT_SENT,
                    error="its worker was lost; it may have been sent" if due else "its worker was lost",
                    turn=arrival.turn, think_s=arrival.think_s,
                )
            )  # fmt: skip
        return len(missing)


def wait_for_go(go_file: str) -> None:
    """Say that everything is ready and wait for the word, if a go file is named."""
    if not go_file:
        return
    go = Path(go_file)
    go.with_name(go.name + ".ready").touch()
    while not go.exists():
        gevent.sleep(0.01)
