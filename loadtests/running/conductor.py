"""Locust's events turned into a run: one conductor per process, local, master or worker."""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import Namespace
from pathlib import Path

import gevent
from gevent.event import Event
from locust.runners import MasterRunner, WorkerRunner

from loadtests import settings as run_settings
from loadtests.reach.endpoint import UnreachableError
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.recording.live import Live, Progress
from loadtests.recording.load_run import Ended
from loadtests.recording.result import UNREACHABLE, SenderFacts
from loadtests.running import lifecycle, logins, messages, metrics_port
from loadtests.running.console import Console
from loadtests.running.lifecycle import Prepared, Run
from loadtests.running.locust_types import LocustEnvironment, LocustMessage
from loadtests.running.messages import Brief, SenderNews
from loadtests.running.series import Series
from loadtests.running.worker import WorkerSide
from loadtests.running.workers import Workers, WorkersSeen
from loadtests.settings import HostNotAllowedError

log = logging.getLogger("loadtests")
_WORKER_LEAD_S = 1.0
_LOCAL_LEAD_S = 0.02
_END_S = 5.0


class Conductor:
    """Starts, watches and ends runs. In the web UI one process conducts many, one after another."""

    def __init__(self, environment: LocustEnvironment) -> None:
        self.environment = environment
        self.run: Run | None = None
        self._begun = Event()
        self.worker: WorkerSide | None = None
        self._prepared: Prepared | None = None
        self._preparing = False
        self._workers: Workers | None = None
        self._console: Console | None = None
        self._signalled = False

    @property
    def options(self) -> Namespace:
        return self.environment.parsed_options

    @property
    def distributed(self) -> bool:
        return isinstance(self.environment.runner, MasterRunner)

    # Before the start.

    def on_init(self) -> None:
        """Prepare at once in a headless run, so that a wrong setting ends the process with
        its code; catch signals."""
        logins.set_aside(self.environment)
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            self.worker = WorkerSide(self.environment)
            self.options.json = False  # given with --processes; the master says it
            self._catch_signals()
            return
        if self.distributed:
            self._workers = Workers(runner, self.options.expect_workers)
            runner.register_message(messages.RECORDS, self._on_records)
            runner.register_message(messages.PROGRESS, self._on_progress)
            runner.register_message(messages.DONE, self._on_worker_done)
        if self.options.metrics_port:
            self._serve_metrics()
        if self.options.headless:
            self._console = Console(self.options)
            self._catch_signals()
            self.prepare_or_exit()

    def _serve_metrics(self) -> None:
        nothing = Live()

        def now() -> tuple[Live, Path | None]:
            return (nothing, None) if self.run is None else (self.run.live, self.run.folder.path)

        host, port = self.options.metrics_host, self.options.metrics_port
        try:
            metrics_port.serve(host, port, now)
        except OSError as error:
            _fail(f"metrics-port = {port}: {error.strerror}", 1)

    def prepare_or_exit(self) -> None:
        """Headless: one sentence and the exit code instead of a traceback."""
        try:
            self._prepared = self._prepare(self.options, self.environment.host)
        except (HostNotAllowedError, UnreachableError) as error:
            _fail(str(error), UNREACHABLE)
        except (ValueError, FileExistsError) as error:
            _fail(str(error), 2)
        except OSError as error:
            _fail(str(error), 1)

    def prepare_for_ui(self, options: Namespace, host: str | None, plan_hash: str = "") -> None:
        """Check and prepare the web form's settings; see `Prepared` for the hash and what is raised."""
        self._preparing = True
        try:
            self._prepared = self._prepare(options, host, plan_hash)
        finally:
            self._preparing = False

    def busy(self) -> bool:
        """Whether a run is in progress, or was asked for and has not begun."""
        running = self.run is not None and not self.run.done.is_set()
        return running or self._preparing or self.environment.runner.shape_greenlet is not None

    @staticmethod
    def _prepare(options: Namespace, host: str | None, plan_hash: str = "") -> Prepared:
        return Prepared(run_settings.from_options(options, host), plan_hash)

    # The run.

    def on_test_start(self) -> None:
        """t = 0 is fixed here, once everything stands ready."""
        self._begun.clear()
        if self.worker is not None:
            self.worker.prepare(Brief.from_wire(self.options.headroom_start))
            return
        prepared = self._prepared or self._prepare(self.options, self.environment.host)
        self._prepared = None
        run = Run(prepared, self.environment, distributed=self.distributed)
        if not self.distributed:
            run.make_sender()
        lifecycle.wait_for_go(self.options.go_file)
        run.set_start(_WORKER_LEAD_S if self.distributed else _LOCAL_LEAD_S)
        self.run = run
        self._begun.set()
        if self._console is not None:
            self._console.watch(run)
        if self.environment.web_ui is not None:
            run.watch(Series(run.settings.gateway_metrics, run.settings.engine_metrics))
        if self._workers is not None:
            self._workers.begin(run)
            self._brief_workers(run)
        if self.options.run_time:  # Locust itself ignores it where there is a shape
            gevent.spawn_later(self.options.run_time, self._end_if_running, run)

    def _brief_workers(self, run: Run) -> None:
        brief = Brief(
            plan=run.plan.to_bytes(),
            cost=run.prepared.cost,
            start_unix_s=run.start_unix_s,
            order=run.workers,
            model=run.settings.model,
            prompt_salt=run.settings.prompt_salt,
            run_dir=str(run.folder.path.resolve()),
        )
        self.options.headroom_start = brief.to_wire()  # Locust sends the options with its start message

    def senders(self) -> int:
        """How many Locust users the shape asks for: one per sending process."""
        return max(1, self.environment.runner.worker_count) if self.distributed else 1

    @property
    def sending(self) -> WorkerSide | Run | None:
        """Whose share of the plan this process's one Locust user sends; None when there is no run,
        or it is over."""
        if self.worker is not None:
            return self.worker
        return None if self.run is None or self.run.done.is_set() else self.run

    def wait_done(self) -> None:
        """Block until every request of the run has its record, or the run was ended.

        Locust asks a second after the start, also while the run still waits for its go file.
        """
        self._begun.wait()
        if self.run is not None:
            self.run.done.wait()

    # Workers, seen from the master.

    def _on_records(self, environment: LocustEnvironment, msg: LocustMessage) -> None:
        if self.run is not None:
            self.run.master_recorder.take_lines(msg.data["lines"])

    def _on_progress(self, environment: LocustEnvironment, msg: LocustMessage) -> None:
        if self.run is not None:
            news = SenderNews(**msg.data)
            self.run.live.senders[msg.node_id] = Progress(news.sent, news.in_flight)
            self.run.live.add_sender(news.hub_lags_s, news.cpu_shares)

    def _on_worker_done(self, environment: LocustEnvironment, msg: LocustMessage) -> None:
        if self.run is None:
            return
        times = ChunkTimes(**msg.data.pop("chunk_times"))
        self.run.facts.append(SenderFacts(**msg.data, chunk_times=times))
        environment.runner.send_message(messages.ACK, None, client_id=msg.node_id)
        if self._workers is not None:
            self._workers.finished(msg.node_id)

    def workers_seen(self) -> WorkersSeen | None:
        """The workers as they are now; None where this process sends by itself."""
        return None if self._workers is None else self._workers.seen()

    # The end.

    def end(self, why: str) -> None:
        """End the run early; on a master the workers cut, ship their records, and are waited for (5 s)."""
        run = self.run
        if run is None or run.done.is_set():
            return
        if not self.distributed:
            run.end(why)
            return
        run.why = why
        self.environment.runner.send_message(messages.END, {"why": why})
        run.done.wait(_END_S)
        run.done.set()

    def _end_if_running(self, run: Run) -> None:
        if run is self.run:
            self.end("run_time")

    def on_stopping(self) -> None:
        """Locust is about to stop the users: if the run is not over, somebody pressed Stop."""
        if self.worker is not None:
            self.worker.end("stopped")
        if self.run is not None and not self.run.done.is_set() and self.run.why == "completed":
            self.run.why = "stopped"

    def finish(self) -> None:
        """Write load.json and set the exit code; once per run."""
        run = self.run
        if run is None:
            if self.worker is not None:
                self.environment.process_exit_code = 0
            return
        if self.distributed:  # Stop: what the workers have of it is on its way
            run.done.wait(_END_S)
        if not run.done.is_set():
            run.end("stopped")
        if self._workers is not None:
            self._workers.stop()
        finished = run.finish(gate=self.options.gate)
        if finished is None:
            return
        self.environment.process_exit_code = finished.ended.exit_code
        if self._console is not None:
            self._console.say_end(finished, str(run.folder.path))
        else:
            _log_doubts(finished.ended)

    def on_quitting(self) -> None:
        """The process is going: whatever is still running is cut and recorded."""
        self.end("stopped")
        self.finish()

    def _catch_signals(self) -> None:
        """The first SIGINT or SIGTERM ends the run in order; the second ends the process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._signalled:
            os._exit(128 + number)
        self._signalled = True
        if self.worker is not None:
            self.worker.end(name)
            return
        if self.run is None:
            sys.stderr.write(f"{name} before the load started\n")
            os._exit(128 + number)
        self.end(name)


def _log_doubts(ended: Ended) -> None:
    """For the terminal of a web UI, whose page shows everything."""
    for reason in ended.reasons:
        log.warning("client saturated: %s", reason)
    for finding in ended.lengths.findings if ended.lengths is not None else ():
        log.warning("lengths: %s", finding.text)
    if not ended.complete:
        log.error("records lost: %d rebuilt of %d planned", ended.rebuilt, ended.planned)


def _fail(sentence: str, code: int) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
    sys.exit(code)
