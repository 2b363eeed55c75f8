"""The end of a request: counted once, its times observed, its line logged, its row recorded."""

import logging
import time

from structlog.typing import FilteringBoundLogger

from gateway.call import Call
from gateway.lane_book import KnownLane
from gateway.metrics import Metrics
from gateway.outcome import Outcome, Route
from gateway.recorder import Recorder

# Logged at level debug only. The metrics count them; under load a line for each would hide the other lines.
QUIET = frozenset(
    (
        *(Outcome.OK, Outcome.REJECTED_FULL, Outcome.REJECTED_MODE, Outcome.OVER_BUDGET),
        *(Outcome.QUEUE_TIMEOUT, Outcome.CLIENT_ABORT, Outcome.DRAINING),
    )
)


class Account:
    """What is kept of every completion, however it ended."""

    def __init__(
        self,
        metrics: Metrics,
        log: FilteringBoundLogger,
        log_level: str,
        recorder: Recorder | None = None,
    ) -> None:
        self._metrics = metrics
        self._recorder = recorder
        self._log = log
        self._log_quiet = log_level == "debug"

    def finish_request(self, call: Call) -> None:
        """Counts, observes and logs `call`: once per call, after its slot went back."""
        now_s = time.monotonic()
        outcome = call.outcome or Outcome.INTERNAL
        metrics = self._metrics
        metrics.requests[call.route, outcome, call.code] += 1
        metrics.request[outcome].observe(now_s - call.arrived_s)
        if call.offered:
            metrics.queue_wait[outcome].observe(call.queue_s)
        if call.received_s is not None and call.dispatched_s is not None:
            metrics.overhead.observe(max(0.0, call.dispatched_s - call.received_s - call.queue_s))
            if call.first_s is not None:
                metrics.ttft.observe(call.first_s - call.received_s)
                metrics.upstream_ttft.observe(call.first_s - call.dispatched_s)
        if self._recorder is not None:
            self._recorder.keep(call, outcome, now_s)
        if call.lane is not None:
            queue_s = call.queue_s if call.offered else None
            ttft_s = call.first_s - call.received_s if call.first_s and call.received_s else None
            call.lane.counts.ended(outcome, queue_s, ttft_s)
            # Of an answer that is not streamed only the wait is known.
            start_s = queue_s if ttft_s is None and outcome is Outcome.OK else ttft_s
            if start_s is not None:
                call.lane.class_ttft.observe(start_s)
        if outcome not in QUIET or self._log_quiet:
            self._write(call, outcome, now_s)

    def finish_refused(
        self,
        route: Route,
        outcome: Outcome,
        code: int,
        request_id: bytes,
        arrived_s: float,
        lane: KnownLane | None = None,
    ) -> None:
        """The same for one that was refused as soon as it was in, before it became a call."""
        now_s = time.monotonic()
        self._metrics.requests[route, outcome, code] += 1
        self._metrics.request[outcome].observe(now_s - arrived_s)
        if lane is not None:
            lane.counts.refused(outcome)
        if self._log_quiet:
            call = Call(route, request_id, 0)
            call.code, call.lane = code, lane
            self._write(call, outcome, now_s)

    def _write(self, call: Call, outcome: Outcome, now_s: float) -> None:
        level = logging.DEBUG if outcome in QUIET else logging.WARNING
        self._log.log(level, "request", **_facts(call, outcome, now_s))


def _facts(call: Call, outcome: Outcome, now_s: float) -> dict[str, object]:
    return {
        "request_id": call.request_id.decode(),
        "route": call.route.value,
        "outcome": outcome.value,
        "code": call.code,
        "lane": call.lane.name if call.lane else None,
        "cut": call.cancel_reason.value if call.cancel_reason else None,
        "queue_s": round(call.queue_s, 6),
        "seconds": round(now_s - call.arrived_s, 6),
    }
