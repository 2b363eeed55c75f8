"""The rows of every frame of `reports.load`: each column's type, unit and meaning, in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, TypeVar

import pandas as pd

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

CellId = Annotated[str, "", "identifier of the cell"]


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell; what is not known is nan or "". Its frame has the gateway's limits too (`columns.SETTING`)."""

    cell: Annotated[str, "", "identifier of the cell: one setting under one load"]
    knobs: Annotated[
        str, "", "what the engine was given in this cell, such as `max_num_seqs 8`; empty: its own"
    ] = ""
    sentinel: Annotated[
        bool, "", "whether it is none of the matrix: one setting on one trace again and again, to see drift"
    ] = False
    purpose: Annotated[
        str, "", "what it is measured for: `matrix` to choose among settings, `validation`, `capacity`"
    ] = "matrix"
    setting: Annotated[str, "", "the setting in words"] = ""
    queue: Annotated[str, "", "what becomes of a request that finds no free slot, in words"] = ""
    workload: Annotated[str, "", "name of the mix of requests; empty in a run of only one"] = ""
    scenario: Annotated[str, "", "name of the arrival process"] = ""
    rate_per_s: Annotated[float, "1/s", "the rate that was asked for"] = math.nan
    relative_load: Annotated[
        float, "ratio", "that rate / the capacity found by the probe, or the recorded rate"
    ] = math.nan
    block: Annotated[float, "", "number of the block: one arrival plan, all settings"] = math.nan
    plan_hash: Annotated[
        str, "", "SHA-256 of the arrival plan; equal for cells that saw the same arrivals"
    ] = ""
    load: Annotated[str, "", "the load in words"] = ""
    window_s: Annotated[float, "s", "length of the measured window"] = math.nan
    offered: Annotated[
        float, "requests", "requests due in the measured window: the denominator of every ratio"
    ] = math.nan
    served_in_slo: Annotated[float, "requests", "served, and every threshold of the SLO met"] = math.nan
    served_late: Annotated[float, "requests", "served, but some threshold missed"] = math.nan
    rejected: Annotated[
        float, "requests", "rejected by the gateway at once (429): queue full, or reject mode"
    ] = math.nan
    timed_out: Annotated[float, "requests", "waited for a slot until the queue timeout (503)"] = math.nan
    other: Annotated[float, "requests", "every other outcome: errors, cuts, not sent"] = math.nan
    offered_per_s: Annotated[float, "1/s", "offered / window"] = math.nan
    achieved_per_s: Annotated[float, "1/s", "served / window"] = math.nan
    goodput_per_s: Annotated[float, "1/s", "served in SLO / window"] = math.nan
    goodput_low_per_s: Annotated[float, "1/s", "lower end of its 95 % interval (see definitions)"] = math.nan
    goodput_high_per_s: Annotated[float, "1/s", "upper end"] = math.nan
    output_tokens_per_s: Annotated[
        float, "1/s", "output tokens of served requests / window; nan where the engine does not report them"
    ] = math.nan
    attainment: Annotated[float, "ratio", "served in SLO / offered"] = math.nan
    attainment_low: Annotated[float, "ratio", "lower end of its 95 % interval (see definitions)"] = math.nan
    attainment_high: Annotated[float, "ratio", "upper end"] = math.nan
    verdict: Annotated[str, "", "stable, saturated or cant_tell"] = ""
    binding: Annotated[str, "", "the resource that limits: slots, queue, engine …"] = ""
    saturation_why: Annotated[str, "", "the reasons for the verdict, in words"] = ""
    load_ratio: Annotated[float, "ratio", "offered work / what the slots can do; 1 at capacity"] = math.nan
    load_ratio_low: Annotated[float, "ratio", "lower end of its 95 % interval"] = math.nan
    load_ratio_high: Annotated[float, "ratio", "upper end"] = math.nan
    rejected_ratio: Annotated[
        float, "ratio", "offered requests that were refused or timed out in the queue / offered"
    ] = math.nan
    erlang_loss_ratio: Annotated[
        float, "ratio", "what Poisson arrivals at this load lose without a queue (Erlang B); nan with a queue"
    ] = math.nan
    slots_busy_ratio: Annotated[float, "ratio", "mean active / MAX_ACTIVE"] = math.nan
    queue_mean: Annotated[float, "requests", "mean number waiting in the gateway"] = math.nan
    queue_full_ratio: Annotated[float, "ratio", "share of the window with a full queue"] = math.nan
    engine_running_mean: Annotated[float, "requests", "mean number the engine is running"] = math.nan
    engine_waiting_mean: Annotated[float, "requests", "mean number waiting in the engine"] = math.nan
    kv_use_max: Annotated[float, "ratio", "highest use of the KV cache"] = math.nan
    preemptions: Annotated[
        float, "requests", "running requests that the engine put back to wait, every phase of the cell"
    ] = math.nan
    prefix_hit_ratio: Annotated[
        float,
        "ratio",
        "prompt tokens that came out of the engine's prefix cache / prompt tokens, every phase",
    ] = math.nan
    validity: Annotated[
        str, "", "worst doubt: valid, info, warn or invalid; `missing` when there is no summary"
    ] = "missing"
    engine: Annotated[str, "", "the engine that made the cell's numbers"] = ""

    @property
    def usable(self) -> bool:
        """Whether the numbers may be used: measured, and not stamped invalid."""
        return self.validity not in ("invalid", "missing")


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One quantile of one latency of a cell."""

    cell: CellId
    metric: Annotated[str, "", "ttft_s, tpot_s, e2e_s …; see definitions"]
    quantile: Annotated[str, "", "p50, p95 or p99"]
    value_s: Annotated[float, "s", "the quantile; nan when there are too few requests for it"]
    low_s: Annotated[float, "s", "lower end of its 95 % interval"]
    high_s: Annotated[float, "s", "upper end"]
    n: Annotated[float, "requests", "how many requests (gaps, for itl_s) it rests on"]
    why: Annotated[str, "", "why there is no value"]


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """The requests around one quantile of a cell's E2E latency, taken apart; the parts add up to e2e_s."""

    cell: CellId
    quantile: Annotated[str, "", "p50 or p95 of the E2E latency"]
    n: Annotated[float, "requests", "served requests next to that quantile"]
    e2e_s: Annotated[float, "s", "their mean E2E latency; the parts are means too and add up to it"]
    send_lag_s: Annotated[float, "s", "due → sent: the load generator's own delay"]
    gateway_queue_s: Annotated[float, "s", "waiting for a slot, as the gateway says in Server-Timing"]
    network_s: Annotated[
        float, "s", "sockets, parsing and the gateway itself, before the first token and after the last"
    ]
    engine_queue_s: Annotated[float, "s", "waiting inside the engine; nan where the engine does not tell"]
    prefill_s: Annotated[
        float, "s", "reading the prompt; all between slot and first token where the engine does not tell"
    ]
    decode_s: Annotated[float, "s", "first → last token"]
    largest: Annotated[str, "", "name of the greatest part"]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """How often one outcome occurred in a cell."""

    cell: CellId
    outcome: Annotated[str, "", "served_in_slo, served_late, or the record outcome"]
    count: Annotated[float, "requests", "how many of the measured window"]
    share: Annotated[float, "ratio", "count / offered"]


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One quantile from two sources."""

    cell: CellId
    metric: Annotated[str, "", "the latency, both sources from the same starting point"]
    quantile: Annotated[str, "", "p50 or p95"]
    records_s: Annotated[float, "s", "from the client's records"]
    prometheus_s: Annotated[float, "s", "from the gateway's histogram in Prometheus"]
    bucket_low_s: Annotated[float, "s", "lower bound of the histogram bucket it fell into"]
    bucket_high_s: Annotated[float, "s", "upper bound"]
    agrees: Annotated[bool, "", "whether they differ by no more than a bucket"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One thing that was counted on two sides."""

    cell: CellId
    what: Annotated[str, "", "what was counted"]
    client: Annotated[float, "requests", "by the load generator"]
    gateway: Annotated[float, "requests", "by the gateway's counters"]
    agrees: Annotated[bool, "", "whether the two are equal"]
    explanation: Annotated[str, "", "why not"]


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """One reason to distrust a cell."""

    cell: CellId
    code: Annotated[str, "", "which check"]
    severity: Annotated[str, "", "info, warn or invalid"]
    text: Annotated[str, "", "what is in doubt and what to do"]


@dataclass(frozen=True, slots=True)
class PredictedRow:
    """One predicted measure of a cell. A unit of "as measured" is that of the measure: s, 1/s, or a ratio."""

    cell: CellId
    metric: Annotated[str, "", "goodput_per_s, attainment, ttft_s_p95, tpot_s_p95 or e2e_s_p95"]
    predicted: Annotated[
        float, "as measured", "predicted before the cell ran, for a trace that was not known"
    ]
    predicted_low: Annotated[
        float, "as measured", "lower end of its prediction interval (level: predicted.json)"
    ]
    predicted_high: Annotated[float, "as measured", "upper end"]
    measured: Annotated[float, "as measured", "what the cell measured"]
    measured_low: Annotated[float, "as measured", "lower end of its 95 % interval"]
    measured_high: Annotated[float, "as measured", "upper end"]
    error: Annotated[float, "ratio", "predicted / measured − 1"]
    model_error: Annotated[float, "ratio", "the same for the model on the very trace that was measured"]
    noise: Annotated[
        float, "ratio", "(1 + error) / (1 + model_error) − 1: the luck of the trace and of the machine"
    ]
    inside: Annotated[bool, "", "whether the measured value lies in the prediction interval"]
    scored: Annotated[bool, "", "whether the measurement is certain enough to judge the prediction by"]
    speed: Annotated[
        float, "ratio", "time of the engine's steps in this cell / as it was calibrated; above 1: slower"
    ] = math.nan


def frame_of(kind: type[R], rows: Iterable[R]) -> pd.DataFrame:
    """The rows as a frame with exactly the columns of their type, also when there are none."""
    names = names_of(kind)
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def rows_of(frame: pd.DataFrame, kind: type[R]) -> list[R]:
    """The rows of a frame that has the columns of `kind`, and perhaps more."""
    columns = [frame[name].tolist() for name in names_of(kind)]
    return [kind(*values) for values in zip(*columns, strict=True)]


def names_of(kind: type[R]) -> list[str]:
    """The columns of a row, in order."""
    return [field.name for field in fields(kind)]
