"""What a load run found: counts, rates, attainment and exact percentiles with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.fairness import Fairness, fairness
from loadtests.recording.latency_summary import Latency, latency_of
from loadtests.recording.quantiles import Quantile
from loadtests.recording.session_summary import SessionSummary, session_summary
from loadtests.recording.table import Table
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one phase."""

    offered: int
    """planned; in a closed loop, where nothing is planned, issued"""
    recorded: int
    """with a record"""
    missing: int
    """planned, but without a record"""
    outcomes: dict[str, int]
    """recorded requests by how they ended"""
    served_in_slo: int
    """served, and every threshold of the SLO met"""
    served_late: int
    """served, and a threshold missed"""
    attempts: int
    """requests sent; more than recorded where a client retries"""
    retries: int | None = None
    """of these, sent again after a refusal; none in runs of earlier versions"""


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second of the phase; none where it has no length."""

    offered_per_s: float | None
    achieved_per_s: float | None
    """served requests"""
    goodput_per_s: float | None
    """served requests that met every threshold of the SLO"""
    output_tokens_per_s: float | None
    """of the served requests; none where the engine reported no usage of any of them: not known, not zero"""


@dataclass(frozen=True, slots=True)
class Latencies:
    """The latencies of the served requests; `send_lag_s` of all that were sent."""

    ttft_s: Latency | None
    """due time to first token"""
    ttft_from_send_s: Latency | None
    """sending to first token"""
    tpot_s: Latency | None
    """one request's mean time between tokens; none for answers of one token"""
    itl_s: Latency | None
    """single gaps between chunks, of all requests together"""
    e2e_s: Latency | None
    """due time to the end of the answer"""
    queue_s: Latency | None
    """waiting at the gateway, as it says"""
    upstream_s: Latency | None
    """slot granted to the engine's first byte, as the gateway says"""
    send_lag_s: Latency | None
    """due time to sending: the generator's own"""
    ttfv_s: Latency | None = None
    """due time to first visible token: first chunk with content that is not reasoning alone"""


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What a load run, or one class of its requests, came to."""

    counts: Counts
    rates: Rates
    attainment: float | None
    """share of the offered requests that met the SLO, 0-1; none where nothing was offered"""
    latency: Latencies
    classes: dict[str, LoadSummary] | None = None
    """the same for each class of requests, where there are several"""
    fairness: Fairness | None = None
    """how evenly tenants were served, where the load has several"""
    sessions: SessionSummary | None = None
    """of whole sessions, where the load has some"""


_UNTOLD = Quantile(None, None, None, why="not reported: the engine tells no output tokens")
NO_TPOT = Latency(n=0, mean=None, p50=_UNTOLD, p95=_UNTOLD, p99=_UNTOLD)
"""Of answers whose number of tokens nobody told."""
LATENCIES = tuple(field.name for field in fields(Latencies))


def summarise(
    records: Iterable[RequestRecord] | Table, plan: Plan, slo: SLO, phase: str = "measure"
) -> LoadSummary:
    """Summary of one phase.

    Every share and rate is over the requests *offered* (planned) in the phase and its whole length; in a
    closed loop, where nothing is planned, over those issued.
    """
    data = records if isinstance(records, Table) else table.from_records(records)
    start_s, end_s = plan.phase_s(phase)
    mask = _of_phase(data, phase)
    offered = plan.offered(phase) if plan.header.loop == "open" else int(mask.sum())
    summary = _summary(data, mask, offered, end_s - start_s, slo)
    sessions = session_summary(data, plan, slo, phase)
    summary = replace(summary, fairness=fairness(data, mask, plan), sessions=sessions)
    if len(data.classes) < 2 and not slo.classes:
        return summary
    planned = [arrival.cls for arrival in plan.arrivals if arrival.phase == phase]
    classes = {}
    for name in dict.fromkeys([*(name for name, _ in slo.classes), *data.classes]):
        of_class = mask & data.of_class(name)
        count = planned.count(name) if plan.header.loop == "open" else int(of_class.sum())
        own = session_summary(data, plan, slo, phase, name)
        classes[name] = replace(_summary(data, of_class, count, end_s - start_s, slo), sessions=own)
    return replace(summary, classes=classes)


def meets(summary: LoadSummary, slo: SLO) -> bool:
    """Whether the share that the objective asks for was served within it: in every load class that has an
    objective of its own and was offered anything, else of all requests together. Where it bounds sessions,
    that share of them has to be good as well."""
    share = summary.attainment
    own = ((slo.of(name), one.sessions) for name, one in (summary.classes or {}).items())
    for bound, sessions in own if slo.classes else [(slo, summary.sessions)]:
        if sessions is not None and bound.session_s is not None and not sessions.met(bound.attainment):
            return False
    return share is not None and slo.level(share, class_shares(summary.classes)) >= slo.attainment


def class_shares(classes: Mapping[str, LoadSummary] | None) -> dict[str, float]:
    """Attainment of each class that was offered anything; none without classes."""
    of_classes = {name: own.attainment for name, own in (classes or {}).items()}
    return {name: share for name, share in of_classes.items() if share is not None}


def _of_phase(data: Table, phase: str) -> NDArray[np.bool_]:
    code = data.phases.index(phase) if phase in data.phases else -1
    return np.asarray(data.phase == code)


def _summary(data: Table, mask: NDArray[np.bool_], offered: int, length_s: float, slo: SLO) -> LoadSummary:
    ok = data.ok() & mask
    served, good = int(ok.sum()), int((data.in_slo(slo) & mask).sum())
    tokens = data.numbers["output_tokens"][ok]
    told = tokens[~np.isnan(tokens)]
    all_tokens = float(told.sum()) if len(told) or not served else None
    return LoadSummary(
        counts=Counts(
            offered=offered,
            recorded=int(mask.sum()),
            missing=offered - int(mask.sum()),
            outcomes=data.outcomes(mask),
            served_in_slo=good,
            served_late=served - good,
            attempts=int(data.attempts[mask].sum()),
            retries=int(np.maximum(data.attempts[mask] - 1, 0).sum()),
        ),
        rates=Rates(
            offered_per_s=_per(offered, length_s),
            achieved_per_s=_per(served, length_s),
            goodput_per_s=_per(good, length_s),
            output_tokens_per_s=None if all_tokens is None else _per(all_tokens, length_s),
        ),
        attainment=good / offered if offered else None,
        latency=_latencies(data, mask, ok, told=bool(len(told) or not served)),
    )


def _latencies(data: Table, mask: NDArray[np.bool_], ok: NDArray[np.bool_], *, told: bool) -> Latencies:
    """`told`: whether the engine reported the tokens of answers, without which nothing is per token."""
    found = {name: latency_of(_sample(data, name, mask, ok)) for name in LATENCIES}
    if not told:
        found["tpot_s"] = NO_TPOT
    return Latencies(**found)


def _per(amount: float, length_s: float) -> float | None:
    return amount / length_s if length_s > 0 else None


def _sample(
    data: Table, name: str, mask: NDArray[np.bool_], ok: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    if name == "itl_s":
        return data.gap_s if ok.all() else data.gap_s[np.repeat(ok, data.gap_owner_n)]
    values = data.times(name)[mask if name == "send_lag_s" else ok]
    return values[~np.isnan(values)]
