"""One finished request as a line of a recording: sizes, times and salted hashes, no text.

The columns are those of a load run's records where they mean the same; moments are seconds on a clock whose
zero is the request's arrival. `loadtests.traffic.row` is the reader's side; a test holds both together.
"""

from binascii import b2a_base64

import orjson

from gateway.asked import Asked
from gateway.call import Call
from gateway.outcome import Outcome, Route

SCHEMA_VERSION = 1
_MOST_TOKENS = 1 << 40
COLUMNS = (
    "arrived_unix_s",
    "route",
    "lane",
    "session",
    "outcome",
    "status",
    "body_bytes",
    "prompt_bytes",
    "slots",
    "max_tokens",
    "prompt_tokens",
    "output_tokens",
    "queue_s",
    "upstream_s",
    "first_s",
    "last_s",
    "finished_s",
    "limits_version",
    "prefix",
)


def head(instance: str, salt_id: str) -> bytes:
    """The first line of a segment. salt_id: hashes of segments that have the same one are comparable."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "instance": instance,
        "salt_id": salt_id,
        "columns": COLUMNS,
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def line(call: Call, asked: Asked, outcome: Outcome, ended_s: float, zero_unix_s: float) -> bytes:
    """A row. ended_s: on the clock of the call; zero_unix_s: what its zero is in Unix seconds."""
    arrived_s, headed_s, asked_engine_s = call.arrived_s, call.head_s, call.dispatched_s
    first_s, last_s = call.first_s, call.last_s
    row: list[object] = [
        _to_us(arrived_s + zero_unix_s),
        call.route,
        asked.lane,
        _text(asked.session),
        outcome,
        call.code,
        asked.body_bytes,
        asked.prompt_bytes,
        asked.slots,
        _count(asked.max_tokens),
        _count(call.prompt_tokens),
        _count(call.output_tokens),
        _to_us(call.queue_s) if call.offered else None,
        None if headed_s is None or asked_engine_s is None else _to_us(headed_s - asked_engine_s),
        None if first_s is None else _to_us(first_s - arrived_s),
        None if last_s is None else _to_us(last_s - arrived_s),
        _to_us(ended_s - arrived_s),
        call.limits_version,
        _text(asked.prefix),
    ]
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def refused_line(
    route: Route, outcome: Outcome, code: int, asked: Asked, spent_s: float, arrived_unix_s: float
) -> bytes:
    """The row of one that was refused at the door; spent_s: from its head to its answer."""
    row: list[object] = [_to_us(arrived_unix_s), route, asked.lane, _text(asked.session), outcome, code]
    row += [asked.body_bytes, *[None] * 9, _to_us(spent_s), None, ""]
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _to_us(span_s: float) -> float:
    """In whole microseconds: what then is printed is short."""
    return int(span_s * 1e6 + 0.5) / 1e6


def _count(tokens: int | None) -> int | None:
    """None for what no column has room for, and nobody means."""
    return tokens if tokens is None or 0 <= tokens < _MOST_TOKENS else None


def _text(hashes: bytes) -> str:
    return b2a_base64(hashes, newline=False).decode() if hashes else ""
