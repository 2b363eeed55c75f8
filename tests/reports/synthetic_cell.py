"""What a load generator and the servers around it would have seen of served requests: the material of which
`experiments.measure.summary` makes a cell's summary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.measure.summary import CellInputs
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.gateway_admin import GatewayGrowth
from experiments.run_folder.cell_summary import BucketQuantiles
from experiments.stats.bucket_quantile import BucketQuantile
from gateway.limits import Limits
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.load_run import Asked, LimitsSeen, LoadRun, PromptLengths, Versions
from loadtests.recording.result import Ending, SenderFacts, result
from loadtests.slo import SLO

Floats = npt.NDArray[np.float64]
MODEL = "tiny-test"
BATCH = 16
"""The engine's largest batch, sequences."""
BEGAN_UNIX_S = 1.8e9


def material(plan: Plan, records: list[RequestRecord], limits: Limits, slo: SLO) -> CellInputs:
    """Of one cell whose requests were served so."""
    served = [record for record in records if record.outcome == "ok"]
    queued_s = sum(record.queue_s or 0.0 for record in records)
    whole_s = sum((record.finished_s or 0.0) - (record.sent_s or 0.0) for record in records)
    outcomes = Counter(record.outcome for record in records)
    end_s = plan.duration_s + 3.0
    return CellInputs(
        records=records,
        load_run=load_run(plan, records, slo, seen_limits(limits)),
        gateway=GatewayGrowth(
            {name: float(count) for name, count in outcomes.items()}, whole_s - queued_s, queued_s
        ),
        engine=_engine(served, whole_s - queued_s, limits),
        stolen_ratio=0.0,
        series=_series(records, limits, end_s),
        histograms={
            "ttft_from_send_s": _histogram(record.ttft_from_send_s for record in served),
            "e2e_from_send_s": _histogram((r.finished_s or 0.0) - (r.sent_s or 0.0) for r in served),
            "queue_s": _histogram(record.queue_s for record in served),
        },
        scrape_times=(BEGAN_UNIX_S + np.arange(0.0, end_s, 1.0)).tolist(),
    )


def seen_limits(limits: Limits) -> LimitsSeen | None:
    """What the gateway's metrics tell of its limits."""
    return LimitsSeen.of({"max_active": float(limits.max_active), "queue_max": float(limits.room)})


def load_run(plan: Plan, records: list[RequestRecord], slo: SLO, limits: LimitsSeen | None) -> LoadRun:
    """What the load generator says of itself; `limits` None: there was no gateway."""
    header = plan.header
    asked = Asked(
        started_unix_s=BEGAN_UNIX_S,
        started_monotonic_s=100.0,
        ended_unix_s=BEGAN_UNIX_S + plan.duration_s,
        host="http://127.0.0.1:8080",
        model=MODEL,
        scenario=header.scenario,
        workload=header.workload,
        rate_per_s=header.rate_per_s,
        warm_up_s=header.warm_up_s,
        measure_s=header.measure_s,
        plan_hash=plan.hash,
        slo=str(slo),
        prompts=PromptLengths(exact=True, note=""),
        notes=tuple(header.notes),
        senders=1,
        load_average=0.1,
        versions=Versions("2.47.0", "26.9.0", "3.11.7"),
        seed=header.seed,
        prompt_tokens=header.tokens("prompt_tokens"),
        output_tokens=header.tokens("output_tokens"),
        limits=limits,
    )
    sender = SenderFacts(hub_lags_s=[0.001], cpu_shares=[0.2], recorded=len(records))
    ending = Ending("completed", (), 0)
    return LoadRun(asked, result(table.from_records(records), plan, slo, [sender], ending, gate=False))


def _engine(served: Sequence[RequestRecord], active_s: float, limits: Limits) -> EngineGrowth:
    prompt_tokens = float(sum(record.prompt_tokens or 0 for record in served))
    return EngineGrowth(
        request_s=active_s,
        requests=float(len(served)),
        prefix_hit_tokens=0.01 * prompt_tokens,
        prompt_tokens=prompt_tokens,
        queue_s=0.002 * len(served),
        prefill_s=sum((record.first_s or 0.0) - (record.headers_s or 0.0) for record in served),
        preemptions=float(max(0, limits.max_active - BATCH // 2)),
    )


def _histogram(values_s: Iterable[float | None]) -> BucketQuantiles:
    """Buckets that grow by a tenth; the quantile is taken to be in the middle of its bucket."""
    known = np.array([value for value in values_s if value is not None], dtype=float)
    return BucketQuantiles(_bucket(known, 0.5), _bucket(known, 0.95))


def _bucket(values_s: Floats, q: float) -> BucketQuantile:
    if not values_s.size:
        return BucketQuantile(None, None, None)
    value = float(np.quantile(values_s, q, method="inverted_cdf"))
    step = np.floor(np.log(value / 0.001) / np.log(1.1)) if value > 0.001 else 0.0
    low, high = (0.001 * 1.1**step, 0.001 * 1.1 ** (step + 1)) if step else (0.0, 0.001)
    return BucketQuantile(float(low + high) / 2, float(low), float(high))


def _series(records: Sequence[RequestRecord], limits: Limits, end_s: float) -> pd.DataFrame:
    """Sampled once a second, long form."""
    t = np.arange(0.0, end_s, 1.0)
    served = [record for record in records if record.outcome == "ok"]
    given = np.array([(r.sent_s or 0.0) + (r.queue_s or 0.0) for r in served])
    active = _inside(t, given, np.array([r.finished_s or 0.0 for r in served]))
    left_queue = np.array([(r.sent_s or 0.0) + (r.queue_s or 0.0) for r in records])
    values = {
        "gateway_active": active,
        "gateway_active_limit": np.full(len(t), limits.max_active),
        "gateway_queue_depth": _inside(t, np.array([r.sent_s or 0.0 for r in records]), left_queue),
        "gateway_queue_limit": np.full(len(t), limits.room),
        "engine_running": np.minimum(active, BATCH),
        "engine_waiting": np.maximum(active - BATCH, 0),
        "engine_kv_use_ratio": active * 0.021,
    }
    parts = [pd.DataFrame({"t_s": t, "metric": name, "value": value}) for name, value in values.items()]
    return pd.concat(parts, ignore_index=True)


def _inside(t: Floats, start_s: Floats, stop_s: Floats) -> Floats:
    """How many spans hold each instant."""
    begun = np.searchsorted(np.sort(start_s), t, "right")
    return np.asarray(begun - np.searchsorted(np.sort(stop_s), t, "right"), dtype=float)
