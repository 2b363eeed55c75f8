"""Summaries say what the records say: the same judgement by columns as one by one, over offered requests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.latency_summary import Latency
from loadtests.recording.quantiles import Quantile, interval_ranks, of_sorted, quantile
from loadtests.recording.run_folder import RunFolder
from loadtests.recording.summary import Counts, summarise
from loadtests.slo import SLO
from tests.loadtests.harness import ROOT

PLAN = plans.make("constant", 10.0, 2.0, 10.0, 0)
GOAL = SLO.parse("ttft<=300ms,tpot<=30ms,e2e<=2s,attainment>=0.9")


def record(
    i: int,
    outcome: Outcome = Outcome.OK,
    ttft: float | None = 0.1,
    gaps: tuple[float, ...] = (0.02, 0.02),
    **more: object,
) -> RequestRecord:
    arrival = PLAN.arrivals[i]
    sent = arrival.due_s + 0.001
    chunks = []
    if outcome is Outcome.OK and ttft is not None:
        chunks = np.round(np.cumsum([arrival.due_s + ttft, *gaps]), 9).tolist()
    known = {"cls": "a", "attempts": 1, "output_tokens": len(chunks) or None, "chunk_times_s": chunks, **more}
    return RequestRecord(
        i=i,
        request_id=str(i),
        phase=arrival.phase,
        session=-1,
        due_s=arrival.due_s,
        outcome=outcome,
        sent_s=sent,
        first_s=chunks[0] if chunks else None,
        last_s=chunks[-1] if chunks else None,
        finished_s=(chunks[-1] if chunks else sent) + 0.001,
        **known,  # type: ignore[arg-type]
    )


def _n(latency: Latency | None) -> int:
    assert latency is not None
    return latency.n


def measured(n: int = 100) -> list[RequestRecord]:
    return [record(20 + k) for k in range(n)]


def test_shares_are_over_what_was_offered() -> None:
    """Refused, late and missing requests all count against attainment; warm-up does not count at all."""
    records = [record(0), *measured(90)]
    records[5] = record(24, Outcome.REJECTED_FULL)
    records[6] = record(25, ttft=0.5)
    summary = summarise(records, PLAN, GOAL)
    assert summary.counts == Counts(
        offered=100, recorded=90, missing=10, outcomes={"ok": 89, "rejected_full": 1},
        served_in_slo=88, served_late=1, attempts=90, retries=0,
    )  # fmt: skip
    assert summary.attainment == pytest.approx(0.88)
    assert summary.rates.offered_per_s == pytest.approx(10.0)
    assert summary.rates.achieved_per_s == pytest.approx(8.9)
    assert summary.rates.goodput_per_s == pytest.approx(8.8)
    assert summary.rates.output_tokens_per_s == pytest.approx(89 * 3 / 10)
    assert _n(summary.latency.ttft_s) == 89
    assert _n(summary.latency.send_lag_s) == 90


def test_tokens_that_nobody_told_are_not_zero() -> None:
    """No rate where the engine sends no usage; the sum of those that are known where it sometimes does; zero
    where there is nothing to tell."""
    silent = [record(20 + k, output_tokens=None) for k in range(10)]
    assert summarise(silent, PLAN, GOAL).rates.output_tokens_per_s is None
    tpot = summarise(silent, PLAN, GOAL).latency.tpot_s
    assert tpot is not None
    assert (tpot.p95.why or "").startswith("not reported")
    assert summarise([*silent, record(30)], PLAN, GOAL).rates.output_tokens_per_s == pytest.approx(0.3)
    refused = [record(20, Outcome.REJECTED_FULL)]
    assert summarise(refused, PLAN, GOAL).rates.output_tokens_per_s == 0.0


def test_the_first_visible_token_has_a_latency_of_its_own(tmp_path: Path) -> None:
    """Over the answers that have one; records of earlier versions do not tell and are read as without."""
    seen = [record(20 + k, visible_s=PLAN.arrivals[20 + k].due_s + 0.5) for k in range(90)]
    latency = summarise([*seen, record(110)], PLAN, GOAL).latency.ttfv_s
    assert latency is not None
    assert latency.n == 90
    assert latency.mean == pytest.approx(0.5)
    rows = [orjson.loads(one.to_json()) for one in seen]
    for row in rows:
        del row["visible_s"]
    (tmp_path / "records.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    data = table.read(tmp_path / "records.jsonl")
    assert len(data) == 90
    assert _n(summarise(data, PLAN, GOAL).latency.ttfv_s) == 0
    assert RequestRecord.from_json(rows[0]).visible_s is None


def test_too_few_samples_give_no_number() -> None:
    """p95 of 20 requests is None with the reason, not a guess."""
    latency = summarise(measured(20), PLAN, GOAL).latency.ttft_s
    assert latency is not None
    assert latency.p50.value == pytest.approx(0.1)
    assert latency.p95 == Quantile(None, None, None, why="n too small: 20 of 59")
    assert latency.p99.why == "n too small: 20 of 299"


def test_gaps_are_pooled_and_weighted_by_tokens() -> None:
    """A gap that brought k tokens is k gaps of a k-th each, where the engine says how many it brought."""
    records = measured(10)
    records[0] = record(20, gaps=(0.04, 0.09), chunk_tokens=[1, 2, 3])
    pooled = table.from_records(records)
    assert pooled.gap_owner_n[0] == 5
    assert pooled.gap_s[:5] == pytest.approx([0.02, 0.02, 0.03, 0.03, 0.03], abs=1e-6)
    assert _n(summarise(records, PLAN, GOAL).latency.itl_s) == 5 + 9 * 2


def test_classes_add_up() -> None:
    """Per class the same numbers, whose counts add up to the whole."""
    records = [record(20 + k, cls="ab"[k % 2]) for k in range(100)]
    plan = plans.Plan(PLAN.header, tuple(a._replace(cls="ab"[a.i % 2]) for a in PLAN.arrivals))
    summary = summarise(records, plan, GOAL)
    assert summary.classes is not None
    assert set(summary.classes) == {"a", "b"}
    assert sum(part.counts.offered for part in summary.classes.values()) == 100
    assert sum(part.counts.served_in_slo for part in summary.classes.values()) == 100


GAPS = st.lists(st.floats(0.001, 0.06), max_size=4)
TTFT = st.none() | st.floats(0.01, 0.6)
ENDS = st.lists(st.tuples(st.sampled_from(Outcome), TTFT, GAPS), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(ENDS)
@example([(Outcome.OK, None, []), (Outcome.OK, 0.1, []), (Outcome.OK, 0.1, [0.05])])
def test_columns_judge_as_records_do(rows: list[tuple[Outcome, float | None, list[float]]]) -> None:
    """The fast path over columns agrees with the definition, request by request."""
    records = [record(20 + k, outcome, ttft, tuple(gaps)) for k, (outcome, ttft, gaps) in enumerate(rows)]
    columns = table.from_records(records)
    for slo in (GOAL, *map(SLO.parse, ("ttft<=300ms", "tpot<=30ms", "e2e<=300ms"))):
        assert columns.in_slo(slo).tolist() == [slo.judge(r) for r in records]
    for name in ("ttft_s", "ttft_from_send_s", "tpot_s", "e2e_s", "send_lag_s"):
        one_by_one = [getattr(r, name) for r in records]
        assert np.allclose(
            columns.times(name), [np.nan if x is None else x for x in one_by_one], equal_nan=True
        )


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 100])
@pytest.mark.parametrize("q", [0.5, 0.95, 1.0])
def test_the_rank_is_numpys_inverted_cdf(n: int, q: float) -> None:
    """An order statistic, the same that numpy gives with that rule."""
    values = np.arange(float(n))
    assert of_sorted(values.tolist(), q) == np.quantile(values, q, method="inverted_cdf")
    assert of_sorted([], q) is None


@pytest.mark.parametrize(("n", "q"), [(6, 0.5), (59, 0.95), (299, 0.99), (1000, 0.95), (100_000, 0.99)])
def test_interval_ranks_are_the_binomial_quantiles(n: int, q: float) -> None:
    """The ranks are those of scipy's binomial: lower ppf(2.5 %), upper ppf(97.5 %) + 1, within the sample."""
    low, high = interval_ranks(n, q)
    assert low == max(0, int(stats.binom.ppf(0.025, n, q)) - 1)
    assert high == min(n - 1, int(stats.binom.ppf(0.975, n, q)))


def test_intervals_cover() -> None:
    """Of 95 % intervals for the p95 of 500 lognormal samples about 95 % hold the true value."""
    rng = np.random.default_rng(0)
    true = float(np.exp(stats.norm.ppf(0.95)))
    hits = 0
    for _ in range(1000):
        p95 = quantile(np.exp(rng.standard_normal(500)), 0.95)
        assert p95.low is not None
        assert p95.high is not None
        hits += p95.low <= true <= p95.high
    assert 0.93 <= hits / 1000 <= 0.98


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """A spool cut by a crash is read up to its last whole line."""
    folder = RunFolder(tmp_path / "run")
    folder.create(PLAN)
    lines = b"".join(r.to_json() + b"\n" for r in measured(5))
    (folder.path / "records.jsonl").write_bytes(lines[:-20])
    assert len(folder.table()) == 4
    assert len(list(folder.records())) == 4


def test_records_survive_their_file() -> None:
    """Written and read back, a record is the same."""
    for r in (
        record(20),
        record(21, Outcome.REJECTED_FULL, retry_after_s=1.5, tried=[Outcome.REJECTED_FULL] * 2),
    ):
        assert RequestRecord.from_json(orjson.loads(r.to_json())) == r
    with pytest.raises(ValueError, match="not a record"):
        RequestRecord.from_json({**orjson.loads(record(20).to_json()), "surprise": 2})
    with pytest.raises(ValueError, match="'lost' is not a valid Outcome"):
        RequestRecord.from_json({**orjson.loads(record(20).to_json()), "outcome": "lost"})


MILLION = """
import sys, time, json, resource
from loadtests.recording.run_folder import RunFolder
from loadtests.slo import SLO
from loadtests.recording.summary import summarise
start = time.monotonic()
folder = RunFolder(sys.argv[1])
summary = summarise(folder.table(), folder.plan(), SLO.parse("ttft<=1s,tpot<=60ms"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
counts = [summary.latency.itl_s.n, summary.counts.offered]
print(json.dumps([time.monotonic() - start, time.process_time(), peak, *counts]))
"""


@pytest.mark.prove
def test_a_million_records_in_ten_seconds(tmp_path: Path) -> None:
    """Read and summarise 1,000,000 records of 16 chunks each in < 10 s and < 1.5 GB."""
    plan = plans.make("constant", 1000.0, 0.0, 1000.0, 0, Mix.fixed(16, 16))
    folder = RunFolder(tmp_path / "run")
    folder.create(plan)
    rng = np.random.default_rng(0)
    with (folder.path / "records.jsonl").open("wb") as out:
        for arrival in plan.arrivals:
            chunks = np.round(arrival.due_s + np.cumsum(rng.exponential(0.02, 16)), 6).tolist()
            record = RequestRecord(
                i=arrival.i,
                request_id=f"run-{arrival.i}",
                phase="measure",
                cls="fixed",
                session=-1,
                due_s=arrival.due_s,
                outcome=Outcome.OK,
                sent_s=arrival.due_s,
                first_s=chunks[0],
                last_s=chunks[-1],
                finished_s=chunks[-1],
                chunk_times_s=chunks,
                output_tokens=16,
                attempts=1,
            )
            out.write(record.to_json() + b"\n")
    done = subprocess.run(
        [sys.executable, "-c", MILLION, str(folder.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu_s, peak_mb, gaps, offered = json.loads(done.stdout)
    print(f"{seconds:.1f} s, of it {cpu_s:.1f} s on the CPU, {peak_mb:.0f} MB")
    assert offered == 1_000_000
    assert gaps == 15_000_000
    assert cpu_s < 10  # one thread: on an idle machine that is the time it takes
    assert peak_mb < 1536
