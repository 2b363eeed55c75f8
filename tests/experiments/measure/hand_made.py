"""The raw material of one cell made by hand: client, gateway, engine and Prometheus tell the same story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.design.cells import Cell
from experiments.measure.summary import CellInputs
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.gateway_admin import GatewayGrowth
from experiments.run_folder.cell_summary import BucketQuantiles
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stats.bucket_quantile import bucket_quantile
from gateway.limits import Limits
from gateway.outcome import Outcome as GatewayOutcome
from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.load_run import LoadRun
from tests.experiments import plain

WARM_UP_S, MEASURE_S = 2.0, 10.0
END_S = WARM_UP_S + MEASURE_S
PLAN = plans.make("sustained", 20.0, WARM_UP_S, MEASURE_S, 7, mix=Mix.fixed(64, 24))
CELL = Cell(
    Setting(Limits(max_active=16, queue_max=8, queue_timeout_s=1.0)), Load("sustained", 20.0, 0.7), block=3
)
STARTED_UNIX_S = 1_000.0
SCRAPES = tuple(STARTED_UNIX_S + second for second in range(16))
"""When Prometheus looked, until all requests were over; Unix seconds."""
ENGINE_QUEUE_S, PREFILL_S = 0.01, 0.03
_SEND_LAG_S, _AFTER_LAST_S, _REFUSAL_S = 0.001, 0.002, 0.003
_BOUNDS = [0.005 * 1.1**k for k in range(80)]

AT_GATEWAY: Mapping[Outcome, GatewayOutcome] = {
    Outcome.OK: GatewayOutcome.OK,
    Outcome.REJECTED_FULL: GatewayOutcome.REJECTED_FULL,
    Outcome.REJECTED_MODE: GatewayOutcome.REJECTED_MODE,
    Outcome.OVER_BUDGET: GatewayOutcome.OVER_BUDGET,
    Outcome.QUEUE_TIMEOUT: GatewayOutcome.QUEUE_TIMEOUT,
    Outcome.DRAINING: GatewayOutcome.DRAINING,
    Outcome.UPSTREAM_OVERLOADED: GatewayOutcome.UPSTREAM_OVERLOADED,
    Outcome.CLIENT_TIMEOUT: GatewayOutcome.CLIENT_ABORT,
}
"""The record's outcome → what the gateway counts it as."""


def records(
    outcomes: Mapping[str, int] | None = None,
    plan: Plan = PLAN,
    decode_s: Callable[[Arrival], float] = lambda arrival: 0.2,
) -> list[RequestRecord]:
    """A record of each arrival: served, but for so many of the measured ones that ended otherwise."""
    measured = [arrival.i for arrival in plan.arrivals if arrival.phase == "measure"]
    names = [Outcome(name) for name, count in (outcomes or {}).items() for _ in range(count)]
    other = dict(zip(measured[3::7], names, strict=False))
    assert len(other) == len(names), "the plan is too short for so many"
    rng = np.random.default_rng(5)
    noise_s = rng.uniform(0.0, 0.02, len(plan)).tolist()
    return [
        _refused(arrival, other[arrival.i])
        if arrival.i in other
        else _served(arrival, decode_s(arrival) + noise_s[arrival.i])
        for arrival in plan.arrivals
    ]


def _served(arrival: Arrival, decode_s: float) -> RequestRecord:
    """Every third waits 20 ms at the gateway, every third 40 ms."""
    sent_s, queue_s = arrival.due_s + _SEND_LAG_S, 0.02 * (arrival.i % 3)
    first_s = sent_s + queue_s + ENGINE_QUEUE_S + PREFILL_S
    last_s = first_s + decode_s
    return RequestRecord(
        i=arrival.i, request_id=f"r{arrival.i}", phase=arrival.phase, cls=arrival.cls, session=-1,
        due_s=arrival.due_s, outcome=Outcome.OK, sent_s=sent_s, headers_s=first_s, first_s=first_s,
        last_s=last_s, finished_s=last_s + _AFTER_LAST_S, chunk_times_s=(first_s, last_s), status=200,
        prompt_tokens=arrival.prompt_tokens, output_tokens=arrival.output_tokens, queue_s=queue_s,
        upstream_s=ENGINE_QUEUE_S + PREFILL_S, limits_version=2, attempts=1,
    )  # fmt: skip


def _refused(arrival: Arrival, outcome: Outcome) -> RequestRecord:
    sent_s = arrival.due_s + _SEND_LAG_S
    queue_s = 1.0 if outcome is Outcome.QUEUE_TIMEOUT else 0.0
    return RequestRecord(
        i=arrival.i, request_id=f"r{arrival.i}", phase=arrival.phase, cls=arrival.cls, session=-1,
        due_s=arrival.due_s, outcome=outcome, sent_s=sent_s, finished_s=sent_s + queue_s + _REFUSAL_S,
        status=503, queue_s=queue_s, attempts=1,
    )  # fmt: skip


def material(of: Sequence[RequestRecord]) -> CellInputs:
    """What the other sides saw of these requests."""
    return CellInputs(
        records=list(of),
        load_run=load_run(of),
        gateway=gateway(of),
        engine=engine(of),
        stolen_ratio=0.0,
        series=series({"engine_running": 4.0, "engine_waiting": 0.0, "engine_kv_use_ratio": 0.3}),
        histograms=histograms(of),
        scrape_times=SCRAPES,
    )


def load_run(of: Sequence[RequestRecord]) -> LoadRun:
    """A generator that was never late."""
    known = plain.load_run(STARTED_UNIX_S)
    outcomes = {str(outcome): n for outcome, n in Counter(record.outcome for record in of).items()}
    return replace(known, ended=replace(known.ended, planned=len(of), recorded=len(of), outcomes=outcomes))


def gateway(of: Sequence[RequestRecord]) -> GatewayGrowth:
    """Its counters, and its integrals of slots held and requests queued."""
    counted = Counter(str(AT_GATEWAY[record.outcome]) for record in of)
    return GatewayGrowth(
        outcomes={name: float(count) for name, count in counted.items()},
        active_s=sum(_held_s(record) for record in of if record.outcome == "ok"),
        queued_s=sum(record.queue_s or 0.0 for record in of),
    )


def engine(of: Sequence[RequestRecord]) -> EngineGrowth:
    """Its counters; every prompt was new to it."""
    served = [record for record in of if record.outcome == "ok"]
    return EngineGrowth(
        request_s=sum(_held_s(record) - _AFTER_LAST_S for record in served),
        requests=float(len(served)),
        prefix_hit_tokens=0.0,
        prompt_tokens=float(sum(record.prompt_tokens or 0 for record in served)),
        queue_s=ENGINE_QUEUE_S * len(served),
        prefill_s=PREFILL_S * len(served),
        preemptions=0.0,
    )


def histograms(of: Sequence[RequestRecord]) -> dict[str, BucketQuantiles]:
    """The gateway's, in buckets of 10 %."""
    return {name: _quantiles(cumulative(values)) for name, values in seen_by_gateway(of).items()}


def seen_by_gateway(of: Sequence[RequestRecord]) -> dict[str, list[float]]:
    """The values that its histograms were fed with, seconds, by the summary's name."""
    served = [record for record in of if record.outcome == "ok"]
    return {
        "ttft_from_send_s": [(r.first_s or 0.0) - (r.sent_s or 0.0) for r in served],
        "e2e_from_send_s": [(r.finished_s or 0.0) - (r.sent_s or 0.0) for r in served],
        "queue_s": [r.queue_s or 0.0 for r in served],
    }


def cumulative(values: Sequence[float]) -> list[tuple[float, float]]:
    """Upper bound of each bucket, and how many values are not above it."""
    return [(bound, float(sum(value <= bound for value in values))) for bound in [*_BOUNDS, float("inf")]]


def series(inside: Mapping[str, float], outside: float = 99.0) -> pd.DataFrame:
    """Each series at its value in the measured window, and at another before and after it."""
    rows = [
        (float(t), name, value if WARM_UP_S <= t < END_S else outside)
        for name, value in inside.items()
        for t in range(16)
    ]
    return pd.DataFrame(rows, columns=["t_s", "metric", "value"])


def _held_s(record: RequestRecord) -> float:
    return (record.finished_s or 0.0) - (record.sent_s or 0.0) - (record.queue_s or 0.0)


def _quantiles(counts: list[tuple[float, float]]) -> BucketQuantiles:
    return BucketQuantiles(bucket_quantile(counts, 0.5), bucket_quantile(counts, 0.95))
