"""The numbers that people are shown: while a run goes on nearly those of its end, in the end exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.record import RequestRecord
from loadtests.recording import numbers as shown
from loadtests.recording.latency_summary import Latency
from loadtests.recording.live import Live
from loadtests.recording.load_run import CpuShare
from loadtests.recording.numbers import Generator, Numbers, Seen, Standing
from loadtests.recording.quantiles import Quantile
from loadtests.recording.saturation import Lags
from loadtests.recording.share import wilson
from loadtests.recording.so_far import SoFar
from loadtests.recording.summary import LATENCIES, LoadSummary, summarise
from loadtests.slo import SLO

PLAN = plans.make("sustained", 40.0, 2.0, 20.0, 3)
GOAL = SLO.parse("ttft<=150ms,tpot<=50ms,attainment>=0.5")
NOTHING = Generator(Lags(0, None, None, None), Lags(0, None, None, None), CpuShare(None, None), ())


def records() -> list[RequestRecord]:
    """Of every planned request: most served, some refused at last, chunks of known and unknown tokens."""
    rng = np.random.default_rng(5)
    made = []
    for arrival in PLAN.arrivals:
        sent_s = arrival.due_s + float(rng.exponential(0.002))
        outcome = Outcome.REJECTED_FULL if rng.random() < 0.1 else Outcome.OK
        chunks = (sent_s + rng.exponential(0.1) + np.cumsum(rng.exponential(0.04, 8))).tolist()
        served = outcome is Outcome.OK
        made.append(
            RequestRecord(
                i=arrival.i, request_id="", phase=arrival.phase, cls=arrival.cls, session=-1,
                due_s=arrival.due_s, outcome=outcome, sent_s=sent_s, attempts=1 if served else 3,
                first_s=chunks[0] if served else None, last_s=chunks[-1] if served else None,
                visible_s=chunks[1] if served else None,
                finished_s=chunks[-1] + 0.001 if served else sent_s + 0.01,
                chunk_times_s=chunks if served else (), output_tokens=16 if served else None,
                chunk_tokens=[2] * 8 if served and arrival.i % 2 else None,
                queue_s=0.01 if served else None, upstream_s=0.05 if served else None,
            )
        )  # fmt: skip
    return made


def so_far(taken: list[RequestRecord], now_s: float) -> Numbers:
    live = Live(measured=SoFar(PLAN, GOAL))
    for record in taken:
        live.add(record, now_s)
    found = live.numbers(now_s, GOAL)
    assert found is not None
    return found


def close(latency: Latency | None, exact: Latency | None) -> bool:
    """Same samples and same quantiles, to half a percent."""
    assert latency is not None
    assert exact is not None
    if latency.n != exact.n or latency.mean != pytest.approx(exact.mean, rel=1e-5):
        return False
    ends = ("value", "low", "high")
    return all(
        getattr(one, end) == pytest.approx(getattr(other, end), rel=0.0051)
        for one, other in ((latency.p50, exact.p50), (latency.p95, exact.p95), (latency.p99, exact.p99))
        for end in ends
    )


def test_what_was_summed_up_on_the_way_is_what_the_records_say() -> None:
    """Counts and rates to the last digit, latencies with their intervals to half a percent; no warm-up."""
    exact = summarise(records(), PLAN, GOAL)
    found = so_far(records(), PLAN.duration_s)
    assert found.summary.counts == exact.counts
    assert found.summary.rates == exact.rates
    assert found.summary.attainment == exact.attainment
    assert exact.counts.retries == 2 * exact.counts.outcomes["rejected_full"] > 0
    assert [
        name
        for name in LATENCIES
        if not close(getattr(found.summary.latency, name), getattr(exact.latency, name))
    ] == []
    assert found.seen == Seen(20.0, 20.0, 0)


def test_half_way_the_phase_is_as_long_as_it_was_seen() -> None:
    """Rates are per second gone by; requests in flight are pending, not missed."""
    now_s = 12.0
    taken = [record for record in records() if (record.finished_s or 0.0) <= now_s]
    found = so_far(taken, now_s)
    due = sum(1 for a in PLAN.arrivals if a.phase == "measure" and a.due_s <= now_s)
    judged = sum(1 for record in taken if record.phase == "measure")
    assert found.seen == Seen(10.0, 20.0, due - judged)
    assert found.seen.pending > 0
    assert (found.final, found.attainment.n, found.summary.counts.offered) == (False, judged, due)
    assert found.summary.rates.offered_per_s == pytest.approx(due / 10.0)
    hits = found.attainment.hits
    assert (found.attainment.low, found.attainment.high) == wilson(hits, judged)
    assert found.goodput.per_s == pytest.approx(hits / 10.0)
    assert found.goodput.low_per_s is not None
    assert found.goodput.high_per_s is not None
    assert found.goodput.low_per_s < hits / 10.0 < found.goodput.high_per_s


def test_in_the_warm_up_nothing_is_known() -> None:
    """No share of nothing, no rate, and quantiles that say why there are none."""
    found = so_far([record for record in records() if record.phase == "warm_up"], 1.0)
    assert found.attainment.standing is Standing.UNKNOWN
    assert (found.attainment.share, found.goodput.per_s, found.summary.attainment) == (None, None, None)
    (first, *_) = shown.rows(found.summary)
    assert (first.name, first.n, first.p99) == ("TTFT", 0, "n too small: 0 of 299")


def of(good: int, offered: int, share: float) -> Numbers:
    summary = summarise([], PLAN, GOAL)
    counts = replace(summary.counts, offered=offered, served_in_slo=good)
    slo = replace(GOAL, attainment=share)
    return shown.numbers(replace(summary, counts=counts), Seen(20.0, 20.0, 0), slo, NOTHING, (), final=True)


@pytest.mark.parametrize(
    ("good", "share", "standing", "sure"),
    [
        (90, 0.8, "met", True),
        (90, 0.89, "met", False),
        (90, 0.91, "missed", False),
        (90, 0.97, "missed", True),
    ],
)
def test_the_objective_is_met_by_the_share_and_surely_by_the_interval(
    good: int, share: float, standing: str, sure: bool
) -> None:
    """As `--gate` decides; `sure` where the interval leaves no doubt."""
    attained = of(good, 100, share).attainment
    assert (attained.standing, attained.sure) == (standing, sure)


def test_the_first_visible_token_is_shown_where_it_differs() -> None:
    """An engine that does not reason has one latency twice."""
    summary = summarise(records(), PLAN, GOAL)
    assert [row.name for row in shown.rows(summary)] == ["TTFT", "TTFV", "TPOT", "ITL", "E2E"]
    same = replace(summary, latency=replace(summary.latency, ttfv_s=summary.latency.ttft_s))
    assert [row.name for row in shown.rows(same)] == ["TTFT", "TPOT", "ITL", "E2E"]


def test_a_quantile_that_is_none_says_why() -> None:
    """In place of a number."""
    few = Latency(7, 0.1, Quantile(0.1, 0.09, 0.11), *(Quantile(None, None, None, why="n too small"),) * 2)
    summary: LoadSummary = summarise([], PLAN, GOAL)
    row = shown.rows(replace(summary, latency=replace(summary.latency, ttft_s=few)))[0]
    assert (row.p50, row.p99) == ("100", "n too small")


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    """Buckets and counts only; the due times are the plan's own."""
    measured = SoFar(PLAN, GOAL)
    taken = records()
    for record in taken:
        measured.add(record)
    buckets = sum(len(histogram._buckets) for histogram in measured._histograms.values())
    for _ in range(3):
        for record in taken:
            measured.add(record)
    assert sum(len(histogram._buckets) for histogram in measured._histograms.values()) == buckets
