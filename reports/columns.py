"""What every column of every frame of `reports.load` means, and its unit. Written beside the CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_type_hints

from gateway.limits import LIMIT_NAMES
from gateway.settings import LiveSettings
from reports.rows import (
    AgreementRow,
    BreakdownRow,
    CellRow,
    DoubtRow,
    LatencyRow,
    LedgerRow,
    OutcomeRow,
    PredictedRow,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Documented = dict[str, tuple[str, str]]
"""Column → its unit, its meaning."""


def _of_rows(kind: type[DataclassInstance]) -> Documented:
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint.__metadata__ for name, hint in hints.items()}


def _of_limits() -> Documented:
    """The gateway's limits, as the gateway itself explains them."""
    described = LiveSettings.model_fields
    return {name: (_unit(name), described[name].description or "") for name in LIMIT_NAMES}


def _unit(limit: str) -> str:
    if limit.endswith("_s"):
        return "s"
    return "requests" if LiveSettings.model_fields[limit].annotation is int else ""


SETTING = _of_limits()
_CELLS = _of_rows(CellRow)
CELLS = {"cell": _CELLS["cell"], **SETTING, **_CELLS}
LATENCY = _of_rows(LatencyRow)
BREAKDOWN = _of_rows(BreakdownRow)
OUTCOMES = _of_rows(OutcomeRow)
AGREEMENT = _of_rows(AgreementRow)
LEDGER = _of_rows(LedgerRow)
DOUBTS = _of_rows(DoubtRow)
PREDICTED = _of_rows(PredictedRow)

TABLES = {
    "cells": CELLS,
    "latency": LATENCY,
    "breakdown": BREAKDOWN,
    "outcomes": OUTCOMES,
    "agreement": AGREEMENT,
    "ledger": LEDGER,
    "doubts": DOUBTS,
    "predicted": PREDICTED,
}

RECORDS = {
    "i": ("", "number of the arrival in the plan"),
    "request_id": ("", "x-request-id"),
    "phase": ("", "warm_up, measure or drain"),
    "class": ("", "request class of the workload"),
    "session": ("", "conversation, when the workload has them"),
    "due_s": ("s", "when the plan wanted it; all times count from the cell's t = 0"),
    "sent_s": ("s", "when it left"),
    "headers_s": ("s", "response head received"),
    "first_s": ("s", "first chunk with content"),
    "last_s": ("s", "last content chunk"),
    "finished_s": ("s", "last byte, or the end of the attempt"),
    "chunk_times_s": ("s", "list: when each content chunk arrived"),
    "chunk_tokens": ("tokens", "list: tokens in each chunk, where known"),
    "outcome": ("", "closed set, see definitions"),
    "status": ("", "HTTP status"),
    "error": ("", "error text"),
    "finish_reason": ("", "stop, length …"),
    "prompt_tokens": ("tokens", "from the engine's usage"),
    "output_tokens": ("tokens", "from the engine's usage"),
    "queue_s": ("s", "waited for a slot, from Server-Timing"),
    "upstream_s": ("s", "dispatch → the engine's response head, from Server-Timing"),
    "limits_version": ("", "version of the gateway's limits in force"),
    "retry_after_s": ("s", "Retry-After of the answer"),
    "attempts": ("", "how many times it was tried"),
    "tried": ("", "list: the outcome of every attempt, where there were several"),
    "visible_s": ("s", "first chunk with content that is not reasoning alone"),
    "lanes_version": ("", "version of the gateway's lanes in force, where it has some"),
    "leaves_after_s": ("s", "planned: so long after it sent the client hangs up, unless the answer is whole"),
    "turn": ("", "place in its session, from 0"),
    "think_s": ("s", "planned pause after the answers that it follows"),
    "ttft_s": ("s", "first_s − due_s"),
    "ttft_from_send_s": ("s", "first_s − sent_s"),
    "ttfv_s": ("s", "visible_s − due_s"),
    "tpot_s": ("s", "(last_s − first_s) / (output_tokens − 1); nan below 2 tokens"),
    "e2e_s": ("s", "finished_s − due_s, served requests only"),
    "send_lag_s": ("s", "sent_s − due_s"),
}

SERIES = {
    "t_s": ("s", "from the cell's t = 0"),
    "metric": ("", "gateway_active, gateway_queue_depth, engine_running …"),
    "value": ("as its name says", "the sample"),
}
