"""One process's share of a run: waits for each due time, sends, and ends every arrival in one record."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import gevent
from gevent import Greenlet, GreenletExit

from loadtests.bulk import young_collection
from loadtests.outcome import Outcome
from loadtests.planning.arrival import Arrival
from loadtests.planning.plan import Plan, Share
from loadtests.reach.endpoint import UnreachableError
from loadtests.record import RequestRecord
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.recording.live import Progress
from loadtests.sending.alarm import Alarm, Alarms
from loadtests.sending.answer import Answer
from loadtests.sending.bodies import Bodies
from loadtests.sending.client import Client
from loadtests.sending.exchange import Exchange, record_of, record_of_unsent
from loadtests.sending.follow_ups import Followed, FollowUps
from loadtests.sending.reading import TICK_S, reading_here
from loadtests.sending.request import request, request_head, with_lane
from loadtests.sending.retry import RetryPolicy, jitter_of
from loadtests.settings import Settings

Record = Callable[[RequestRecord], None]


class _Deadline(BaseException):
    """The client's own deadline passed."""


class _HangUp(BaseException):
    """The client cancels, as the plan says."""


class Sender:
    """Sends one process's share of a plan, once."""

    def __init__(
        self, plan: Plan, share: Share, bodies: Bodies, settings: Settings, record: Record, progress: Progress
    ) -> None:
        """Raises UnreachableError when the target's name cannot be resolved."""
        self.plan = plan
        self.in_flight: dict[int, tuple[Exchange, Greenlet]] = {}
        self._users = share.users
        self._arrivals = [arrival for arrival in share.arrivals if not arrival.after]
        self._follow_ups = FollowUps(share.arrivals)
        self._pausing: dict[int, tuple[Arrival, Greenlet]] = {}
        self._alarms = Alarms()
        self._client = Client(settings.target, reading=reading_here(TICK_S[plan.header.loop]))
        self._bodies = bodies
        self._settings = settings
        self._record = record
        self._progress = progress
        self._retry = RetryPolicy(str(plan.header.params.get("retry", "none")))
        self._deadline_s = float(plan.header.params.get("deadline_s", 0.0))
        self._start_s = 0.0
        self._next = 0
        self._stopping = False
        self._run_id = settings.prompt_salt[-8:]
        self._cap = settings.max_inflight or _socket_room()
        self._head = request_head(settings.target)
        self._heads = {one.name: with_lane(self._head, one) for one in plan.header.classes}

    @young_collection()
    def run(self, start_s: float) -> None:
        """Send the share; returns when every request of it has its record.

        `start_s` is t = 0 on `time.monotonic()`. In flight requests, and what follows their answers, are
        waited for at most the drain time after the last request is due.
        """
        self._start_s = start_s
        end_s = start_s + self.plan.duration_s
        greenlets: list[Greenlet] = []
        try:
            drained_s = start_s + self.plan.last_due_s + self._settings.drain_s
            if self.plan.header.loop == "closed":
                greenlets = [gevent.spawn(self._user, number, end_s) for number in self._users]
                gevent.joinall(greenlets, timeout=max(0.0, drained_s - time.monotonic()))
                return
            self._send_when_due()
            while (greenlets := self._at_work()) and (left_s := drained_s - time.monotonic()) > 0:
                gevent.joinall(greenlets, timeout=left_s)
        finally:
            self._stopping = True
            gevent.killall(greenlets)
            self.finish("the run was ended")

    @property
    def chunk_times(self) -> ChunkTimes:
        """Which clock the times of the answers are from."""
        return self._client.times

    # The open loop.

    def _send_when_due(self) -> None:
        alarm = Alarm()
        try:
            while self._next < len(self._arrivals) and not self._stopping:
                arrival = self._arrivals[self._next]
                when_s = self._start_s + arrival.due_s
                if when_s - time.monotonic() > 1e-3:
                    self._bodies.prepare_one(arrival)
                    alarm.wait_until(when_s)
                elif self._next % 32 == 31:
                    gevent.sleep(0)  # a long burst must not keep answers from being read
                if self._stopping:
                    break
                self._next += 1
                self._launch(arrival)
        finally:
            alarm.close()

    def _launch(self, arrival: Arrival) -> None:
        exchange = self._admit(arrival)
        if exchange is not None:
            greenlet = Greenlet(self._run_one, exchange)
            self.in_flight[arrival.i] = exchange, greenlet
            greenlet.start()

    def _admit(self, arrival: Arrival) -> Exchange | None:
        """The exchange of an arrival that is due now; None when the cap is reached, which is its record."""
        if len(self.in_flight) >= self._cap:
            self._leave_unsent(arrival, f"in-flight cap of {self._cap} reached")
            return None
        self._progress.in_flight += 1
        return Exchange(arrival, f"{self._run_id}-{arrival.i}")

    def _at_work(self) -> list[Greenlet]:
        """Those that send, or will after a pause."""
        return [greenlet for _, greenlet in (*self.in_flight.values(), *self._pausing.values())]

    # What follows an answer.

    def _follow(self, followed: Followed, why: str) -> None:
        """Send what is due, each at its time; what is lost is `not_sent`."""
        for arrival in followed.lost:
            self._record_unsent(arrival, why)
        for arrival in followed.due:
            if self._stopping:
                self._leave_unsent(arrival, "the run was ended")
            else:
                greenlet = Greenlet(self._send_after_pause, arrival)
                self._pausing[arrival.i] = arrival, greenlet
                greenlet.start()

    def _send_after_pause(self, arrival: Arrival) -> None:
        when_s = self._start_s + arrival.due_s
        if when_s > time.monotonic():
            self._bodies.prepare_one(arrival)
            self._alarms.wait_until(when_s)
        del self._pausing[arrival.i]
        exchange = self._admit(arrival)
        if exchange is not None:
            self.in_flight[arrival.i] = exchange, gevent.getcurrent()
            self._run_one(exchange)

    # The closed loop.

    def _user(self, number: int, end_s: float) -> None:
        """Ask, wait for the answer, think, ask again, until the window ends."""
        pool, count = self.plan.arrivals, int(self.plan.header.params["users"])
        i = number
        while not self._stopping:
            drawn = pool[i % len(pool)]
            gevent.sleep(drawn.think_s)
            now_s = time.monotonic()
            if now_s >= end_s or self._stopping:
                return
            due_s = now_s - self._start_s
            phase = "warm_up" if due_s < self.plan.header.warm_up_s else "measure"
            arrival = drawn._replace(i=i, due_s=due_s, phase=phase, prompt_seed=drawn.prompt_seed + i)
            exchange = self._admit(arrival)
            if exchange is None:
                gevent.sleep(0.1)  # the cap is reached: do not spin
            else:
                self.in_flight[i] = exchange, gevent.getcurrent()
                self._run_one(exchange)
            i += count

    # One request.

    def _run_one(self, exchange: Exchange) -> None:
        outcome = Outcome.CUT
        error: str | None = "the run was ended"
        timeouts = self._timeouts(exchange)
        try:
            outcome, error = self._attempts(exchange)
        except _Deadline:
            outcome = Outcome.CLIENT_TIMEOUT
            error = f"no complete answer {self._deadline_s:g} s after it was due"
        except _HangUp:
            outcome, error = Outcome.CANCELLED, "the client hung up, as planned"
        except GreenletExit:
            pass
        finally:
            for timeout in timeouts:
                timeout.close()
            self._end(exchange, outcome, error)

    def _timeouts(self, exchange: Exchange) -> list[gevent.Timeout]:
        timeouts = []
        now_s = time.monotonic() - self._start_s
        if self._deadline_s > 0:
            left_s = exchange.arrival.due_s + self._deadline_s - now_s
            timeouts.append(gevent.Timeout.start_new(max(0.0, left_s), _Deadline()))
        if exchange.arrival.cancel_after_s > 0:
            timeouts.append(gevent.Timeout.start_new(exchange.arrival.cancel_after_s, _HangUp()))
        return timeouts

    def _attempts(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        body = self._bodies.take(exchange.arrival)
        while True:
            exchange.attempts += 1
            outcome, error = self._attempt(exchange, body)
            exchange.tried.append(outcome)
            answer = exchange.answer
            pause_s = None
            if answer.status != 200:
                pause_s = self._retry.pause_s(
                    exchange.attempts,
                    answer.status,
                    answer.headers,
                    jitter=jitter_of(exchange.arrival.prompt_seed, exchange.attempts),
                    now_s=time.time(),
                )
            if pause_s is None:
                return outcome, error
            gevent.sleep(pause_s)
            exchange.answer = Answer()

    def _attempt(self, exchange: Exchange, body: bytes) -> tuple[Outcome, str | None]:
        request_id = exchange.request_id
        if exchange.attempts > 1:
            request_id = f"{request_id}.{exchange.attempts}"
        if exchange.sent_s is None:
            exchange.sent_s = time.monotonic()
            self._progress.sent += 1
        answer = exchange.answer
        head, number = self._heads.get(exchange.arrival.cls, self._head), exchange.arrival.session
        session = f"{self._run_id}-{number}" if number >= 0 else ""
        try:
            self._client.exchange(request(head, body, request_id, session), answer)
        except UnreachableError as error:
            answer.error_text = str(error)
        if answer.finished_s is None:  # broken: it ended now, all the same
            answer.finished_s = time.monotonic()
        return answer.outcome()

    # Endings.

    def _end(self, exchange: Exchange, outcome: Outcome, error: str | None) -> None:
        if self.in_flight.pop(exchange.arrival.i, None) is not None:
            self._progress.in_flight -= 1
            record = record_of(exchange, outcome, error, self._start_s)
            self._record(record)
            if self._follow_ups:
                i, now_s = record.i, time.monotonic() - self._start_s
                end_s = now_s if record.finished_s is None else record.finished_s
                ok = outcome is Outcome.OK
                followed = self._follow_ups.answered(i, end_s) if ok else self._follow_ups.failed(i, end_s)
                self._follow(followed, f"it follows request {i}, which ended as {outcome}")

    def _leave_unsent(self, arrival: Arrival, why: str) -> None:
        """It and what follows it."""
        self._record_unsent(arrival, why)
        self._follow(self._follow_ups.failed(arrival.i, arrival.due_s), why)

    def _record_unsent(self, arrival: Arrival, why: str) -> None:
        self._record(record_of_unsent(arrival, f"{self._run_id}-{arrival.i}", why))

    def finish(self, why: str) -> None:
        """End now: cut what is in flight, count what was never sent. Safe to call again."""
        self._stopping = True
        gevent.killall(self._at_work())
        while self._pausing:
            self._leave_unsent(self._pausing.popitem()[1][0], why)
        for exchange, _ in list(self.in_flight.values()):  # killed before it ran at all
            self._end(exchange, Outcome.CUT if exchange.sent_s is not None else Outcome.NOT_SENT, why)
        if self.plan.header.loop == "open":
            left, self._next = self._arrivals[self._next :], len(self._arrivals)
            for arrival in left:
                self._leave_unsent(arrival, why)
        self._alarms.close()
        self._client.close()


def _socket_room() -> int:
    """How many sockets this process may still open, with some left for other files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, soft - 256) if soft != resource.RLIM_INFINITY else 100_000
