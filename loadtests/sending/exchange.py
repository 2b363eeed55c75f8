"""One request from its due time to its end, and the record that it ends in."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtests.outcome import Outcome
from loadtests.planning.arrival import Arrival
from loadtests.record import RequestRecord
from loadtests.sending.answer import Answer


@dataclass(slots=True)
class Exchange:
    """What is known of a request while it runs; turned into its record at the end, however it ends."""

    arrival: Arrival
    request_id: str
    answer: Answer = field(default_factory=Answer)
    sent_s: float | None = None
    tried: list[Outcome] = field(default_factory=list)
    attempts: int = 0


def record_of_unsent(arrival: Arrival, request_id: str, why: str) -> RequestRecord:
    """The record of a request that was never sent."""
    return RequestRecord(
        i=arrival.i, request_id=request_id, phase=arrival.phase, cls=arrival.cls, session=arrival.session,
        due_s=arrival.due_s, outcome=Outcome.NOT_SENT, error=why, turn=arrival.turn, think_s=arrival.think_s,
        leaves_after_s=arrival.cancel_after_s or None,
    )  # fmt: skip


def record_of(exchange: Exchange, outcome: Outcome, error: str | None, start_s: float) -> RequestRecord:
    """The record of a request that ended; `start_s`: t = 0 of the run on the clock of the answer."""
    answer, arrival = exchange.answer, exchange.arrival

    def at(when_s: float | None) -> float | None:
        return None if when_s is None else round((when_s - start_s) * 1e6) / 1e6

    # To whole microseconds by way of an integer: a third of what `round(…, 6)` takes, for every chunk.
    chunks = [round((when_s - start_s) * 1e6) / 1e6 for when_s in answer.chunk_s]
    stages_s = answer.stages_s()
    version, lanes = (answer.number(b"x-gateway-%s-version" % name) for name in (b"limits", b"lanes"))
    return RequestRecord(
        i=arrival.i,
        request_id=answer.text(b"x-request-id") or exchange.request_id,
        phase=arrival.phase,
        cls=arrival.cls,
        session=arrival.session,
        due_s=arrival.due_s,
        outcome=outcome,
        sent_s=at(exchange.sent_s),
        headers_s=at(answer.headers_s),
        first_s=chunks[0] if chunks else None,
        last_s=chunks[-1] if chunks else None,
        finished_s=at(answer.finished_s),
        chunk_times_s=chunks,
        chunk_tokens=answer.chunk_tokens(),
        status=answer.status,
        error=error,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        queue_s=stages_s.get("queue"),
        upstream_s=stages_s.get("upstream"),
        limits_version=None if version is None else int(version),
        retry_after_s=answer.number(b"retry-after"),
        attempts=exchange.attempts,
        tried=exchange.tried if len(exchange.tried) > 1 else None,
        visible_s=at(answer.visible_s),
        lanes_version=None if lanes is None else int(lanes),
        turn=arrival.turn,
        think_s=arrival.think_s,
        leaves_after_s=arrival.cancel_after_s or None,
    )
