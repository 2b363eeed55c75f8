"""A worker's side of a run: its share of the plan, sent; its records, shipped."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import asdict, replace

import gevent
from gevent import Greenlet

from loadtests import settings as run_settings
from loadtests.planning import plan as plans
from loadtests.recording.live import Progress
from loadtests.recording.recorder import WorkerRecorder
from loadtests.recording.result import SenderFacts
from loadtests.recording.run_folder import RecordFile, RunFolder
from loadtests.running import lifecycle, messages
from loadtests.running.locust_statistics import LocustStatistics
from loadtests.running.locust_types import LocustEnvironment, LocustMessage
from loadtests.running.messages import Brief, SenderNews
from loadtests.sending.hub_probe import HubProbe
from loadtests.sending.sender import Sender

log = logging.getLogger("loadtests")
_SHIP_EVERY_S = 0.5
_END_S = 5.0


class WorkerSide:
    """Sends shares, one after another; each is briefed by the master's spawn message."""

    def __init__(self, environment: LocustEnvironment) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._sender: Sender | None = None
        self._running: Sender | None = None
        self._share: Greenlet | None = None
        self._recorder: WorkerRecorder | None = None
        self._probe = HubProbe()
        self._progress = Progress()
        self._start_s = 0.0
        self._runner.register_message(messages.END, self._on_end)
        self._runner.register_message(messages.ACK, self._on_ack)

    def prepare(self, brief: Brief) -> None:
        """Make everything ready to send this worker's share; t = 0 is turned from UTC to our clock."""
        if self._runner.client_id not in brief.order:
            self._sender = None
            log.warning("this worker came after the run was dealt: it sends from the next one on")
            return
        place = brief.order.index(self._runner.client_id)
        plan = plans.from_bytes(brief.plan)
        settings = replace(
            run_settings.from_options(self._environment.parsed_options, self._environment.host),
            model=brief.model,
            prompt_salt=brief.prompt_salt,
            run_dir=brief.run_dir,
        )
        share = plan.share(place, len(brief.order))
        spool = _spool(settings.run_dir, place)
        self._recorder = WorkerRecorder(spool, self._ship_lines, LocustStatistics(self._environment).add)
        bodies = lifecycle.make_bodies(settings, plan, brief.cost)
        self._progress = Progress()
        self._sender = Sender(plan, share, bodies, settings, self._recorder.take, self._progress)
        self._start_s = time.monotonic() + (brief.start_unix_s - time.time())
        bodies.prepare(a for a in share.arrivals if a.due_s < 30.0)

    def send(self) -> None:
        """Send the share, in a greenlet of its own: when a worker comes or goes, Locust moves users about,
        and a share that was begun goes on without one."""
        share = self._begin()
        if share is not None:  # a second user on this worker finds nothing to do
            share.get()

    def user_stopped(self) -> None:
        """That Locust moves a user is no reason to stop; for Stop there is `end`."""

    def _begin(self) -> Greenlet | None:
        """None where there is no share, or it was begun."""
        sender, recorder = self._sender, self._recorder
        if sender is None or recorder is None:
            return None
        self._running, self._sender = sender, None
        self._share = gevent.spawn(self._send_share, sender, recorder)
        return self._share

    def _send_share(self, sender: Sender, recorder: WorkerRecorder) -> None:
        """Ship records as they come, and the rest with what the worker saw of itself at the end."""
        self._probe = HubProbe()
        helpers = [gevent.spawn(self._probe.run), gevent.spawn(self._ship, recorder)]
        try:
            sender.run(self._start_s)
        finally:
            gevent.killall(helpers)
            self._report(sender, recorder)

    def end(self, why: str) -> None:
        """Cut what is in flight, count the rest as not sent, and see that the master gets it all."""
        self._begin()  # where no user came to begin it, it has its records, too
        if self._running is not None and self._share is not None:
            self._running.finish(f"the run was ended ({why})")
            self._share.join(_END_S)

    def _ship(self, recorder: WorkerRecorder) -> None:
        while True:
            gevent.sleep(_SHIP_EVERY_S)
            recorder.flush()
            hub_lags_s, cpu_shares = self._probe.news()
            news = SenderNews(self._progress.sent, self._progress.in_flight, hub_lags_s, cpu_shares)
            self._runner.send_message(messages.PROGRESS, asdict(news))

    def _ship_lines(self, lines: bytes) -> None:
        self._runner.send_message(messages.RECORDS, {"lines": lines})

    def _report(self, sender: Sender, recorder: WorkerRecorder) -> None:
        recorder.close()
        lags = sorted(self._probe.hub_lags_s)
        thinned = lags[:: max(1, len(lags) // 1000)] + lags[-20:]
        facts = SenderFacts(thinned, self._probe.cpu_shares, recorder.recorded, sender.chunk_times)
        self._runner.send_message(messages.DONE, asdict(facts))

    def _on_end(self, environment: LocustEnvironment, msg: LocustMessage) -> None:
        self.end(msg.data["why"])

    def _on_ack(self, environment: LocustEnvironment, msg: LocustMessage) -> None:
        if self._recorder is not None:
            self._recorder.forget()


def _spool(run_dir: str, place: int) -> RecordFile:
    """In the run's folder, where a master on this machine finds it; else in a temporary one."""
    try:
        return RunFolder(run_dir).open_spool(place)
    except OSError:
        return RunFolder(tempfile.mkdtemp(prefix="load-spool-")).open_spool(place)
