"""One frozen record per request: what was planned, what happened, and when. Everything else
is derived from it.

All times are seconds on the run's monotonic clock from its start (t = 0); None: it did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from loadtests import latency
from loadtests.outcome import Outcome


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """See the module; `cls` is the key "class" in files.

    `tried` lists the outcome of every attempt where there were several. `chunk_tokens` is None where the
    engine did not say how many tokens each chunk carried. `visible_s`: the first chunk with content that is
    not reasoning alone. `due_s` of a request that follows answers is when these were in and its planned pause
    of `think_s` seconds was over. `turn`: its place in its session, from 0. `leaves_after_s`: planned; so
    long after it sent the client hangs up, unless the answer is whole.
    """

    i: int
    request_id: str
    phase: str
    cls: str
    session: int
    due_s: float
    outcome: Outcome
    sent_s: float | None = None
    headers_s: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    finished_s: float | None = None
    chunk_times_s: Sequence[float] = ()
    chunk_tokens: Sequence[int] | None = None
    status: int | None = None
    error: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    queue_s: float | None = None
    upstream_s: float | None = None
    limits_version: int | None = None
    retry_after_s: float | None = None
    attempts: int = 0
    tried: Sequence[Outcome] | None = None
    visible_s: float | None = None
    lanes_version: int | None = None
    turn: int = 0
    think_s: float = 0.0
    leaves_after_s: float | None = None

    @property
    def ttft_s(self) -> float | None:
        """Time to first token: due time → first chunk with content."""
        return self._span_s("ttft_s")

    @property
    def ttft_from_send_s(self) -> float | None:
        """Send → first chunk with content."""
        return self._span_s("ttft_from_send_s")

    @property
    def ttfv_s(self) -> float | None:
        """Time to first visible token: due time → first chunk with content that is not reasoning alone."""
        return self._span_s("ttfv_s")

    @property
    def tpot_s(self) -> float | None:
        """Time per output token; None below two tokens."""
        return latency.tpot_s(self.first_s, self.last_s, self.output_tokens)

    @property
    def e2e_s(self) -> float | None:
        """Due time → last byte; None unless the request ended by itself (answered, refused or broken)."""
        return self._span_s("e2e_s")

    @property
    def send_lag_s(self) -> float | None:
        """How much later than due the request was sent: the generator's own lag."""
        return self._span_s("send_lag_s")

    def _span_s(self, name: str) -> float | None:
        start, end = latency.SPANS[name]
        return latency.span_s(getattr(self, start), getattr(self, end))

    def to_json(self) -> bytes:
        """One line of `records.jsonl`, without the line end."""
        return orjson.dumps({key: getattr(self, name) for name, key in KEYS})

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> RequestRecord:
        """A record from one parsed line; raises ValueError for an unknown key or outcome."""
        fields = {("cls" if key == "class" else key): value for key, value in row.items()}
        try:
            fields["outcome"] = Outcome(fields["outcome"])
            if fields.get("tried") is not None:
                fields["tried"] = [Outcome(name) for name in fields["tried"]]
            return RequestRecord(**fields)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"not a record: {error}") from error


KEYS = tuple((name, "class" if name == "cls" else name) for name in RequestRecord.__dataclass_fields__)
"""Field of the record → its key in files, in order."""
