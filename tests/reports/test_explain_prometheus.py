"""The reading of Prometheus, from a real one whose past is known to the last sample."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import EVERYTHING
from gateway.metrics import HELP
from gateway.outcome import Outcome
from loadtests.traffic.segments import Span
from reports.explain import from_rows, from_series, queries, reading, stretches
from reports.explain.cause import Cause
from reports.explain.judge import judge
from reports.explain.signal import Signal
from tests.reports.explaining.scraped import Level, Told, serving, text

ROOT = Path(__file__).resolve().parents[2]
BEGIN_S = 1_780_000_200.0
LENGTH_S = 600.0
ASKED = Span(BEGIN_S + 8 * LENGTH_S, BEGIN_S + 9 * LENGTH_S)
BAD = (ASKED.from_s + 120, ASKED.from_s + 420)
_BUCKETS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


def while_bad(usual: float, bad: float) -> Level:
    """One level, and another in the bad minutes."""
    return lambda at_s: np.where((at_s >= BAD[0]) & (at_s < BAD[1]), bad, usual)


def histogram(name: str, mean_s: Level, labels: str = "") -> list[Told]:
    """Two events a second, all of the mean's length."""

    def below(bound: float) -> Level:
        return lambda at_s: np.where(mean_s(at_s) <= bound, 2.0, 0.0)

    comma = "," if labels else ""
    found = [
        Told(f"{name}_bucket", f'{labels}{comma}le="{bound:g}"', below(bound), True) for bound in _BUCKETS_S
    ]
    return [
        *found,
        Told(f"{name}_bucket", f'{labels}{comma}le="+Inf"', while_bad(2.0, 2.0), True),
        Told(f"{name}_sum", labels, lambda at_s: 2.0 * mean_s(at_s), True),
        Told(f"{name}_count", labels, while_bad(2.0, 2.0), True),
    ]


def ended(outcome: str, usual: float, bad: float) -> Told:
    """Completions of an outcome, per second."""
    labels = f'route="chat",outcome="{outcome}",code="200"'
    return Told("gateway_requests_total", labels, while_bad(usual, bad), True)


SERIES = [
    Told("gateway_arrived_total", "", while_bad(2.0, 3.0), True),
    *(ended("ok", 1.9, 1.5), ended("rejected_full", 0.05, 1.0), ended("queue_timeout", 0.02, 0.2)),
    *(ended("client_abort", 0.02, 0.2), ended("upstream_error", 0.01, 0.1)),
    *histogram("gateway_queue_wait_seconds", while_bad(0.15, 1.5), 'outcome="ok"'),
    *histogram("gateway_ttft_seconds", while_bad(0.3, 3.0)),
    *histogram("gateway_upstream_ttft_seconds", while_bad(0.15, 0.3)),
    *histogram("gateway_inter_token_seconds", while_bad(0.02, 0.05)),
    *histogram("gateway_request_seconds", while_bad(0.7, 3.0), 'outcome="ok"'),
    *histogram("gateway_overhead_seconds", while_bad(0.0003, 0.0004)),
    Told("gateway_tokens_total", 'kind="prompt"', while_bad(760.0, 1500.0), True),
    Told("gateway_tokens_total", 'kind="completion"', while_bad(380.0, 300.0), True),
    Told("gateway_active_seconds_total", "", while_bad(6.0, 12.0), True),
    Told("gateway_queue_full_seconds_total", "", while_bad(0.0, 0.7), True),
    Told("gateway_limits_version", "", while_bad(3.0, 3.0), False),
    Told("gateway_active_limit", "", while_bad(12.0, 12.0), False),
    Told("gateway_queue_limit", "", while_bad(40.0, 40.0), False),
    Told("gateway_event_loop_lag_seconds", "", while_bad(0.002, 0.003), False),
    Told("vllm:num_requests_running", 'model_name="m"', while_bad(6.0, 12.0), False,
         silent=(BAD[1], BAD[1] + 60)),
    Told("vllm:num_requests_waiting", 'model_name="m"', while_bad(0.0, 2.0), False),
    Told("vllm:kv_cache_usage_perc", 'model_name="m"', while_bad(0.4, 0.7), False),
    Told("vllm:num_preemptions_total", 'model_name="m"', while_bad(0.0, 0.5), True),
    Told("vllm:prefix_cache_hits_total", 'model_name="m"', while_bad(450.0, 450.0), True),
    Told("vllm:prompt_tokens_total", 'model_name="m"', while_bad(750.0, 1500.0), True),
    Told("vllm:generation_tokens_total", 'model_name="m"', while_bad(380.0, 300.0), True, cut_s=BAD[1] + 60),
    *histogram("vllm:inter_token_latency_seconds", while_bad(0.02, 0.05), 'model_name="m"'),
    *histogram("vllm:time_to_first_token_seconds", while_bad(0.15, 0.3), 'model_name="m"'),
    Told("DCGM_FI_DEV_SM_CLOCK", 'gpu="0"', while_bad(1980.0, 900.0), False),
    Told("DCGM_FI_DEV_GPU_UTIL", 'gpu="0"', while_bad(80.0, 99.0), False),
    Told("DCGM_FI_DEV_FB_USED", 'gpu="0"', while_bad(70_000.0, 70_000.0), False),
    Told("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", 'gpu="0"', while_bad(0.0, 0x20), False),
]  # fmt: skip

EXPECTED = {
    Signal.OFFERED: (2.0, 3.0),
    Signal.LEFT: (0.01, 0.2 / 3),
    Signal.REFUSED: (0.025, 1 / 3),
    Signal.TIMED_OUT: (0.01, 0.2 / 3),
    Signal.FAILED: (0.005, 0.1 / 3),
    Signal.QUEUE: (0.15, 1.5),
    Signal.QUEUE_P95: (0.195, 1.56),
    Signal.TTFT_P95: (0.39, 3.12),
    Signal.PREFILL: (0.15, 0.3),
    Signal.TPOT: (0.02, 0.05),
    Signal.E2E_P95: (0.78, 3.12),
    Signal.PROMPT: (400.0, 1000.0),
    Signal.PROMPT_RATE: (760.0, 1500.0),
    Signal.OUTPUT: (200.0, 200.0),
    Signal.RUNNING: (6.0, 12.0),
    Signal.LIMITS_VERSION: (3.0, 3.0),
    Signal.ACTIVE_LIMIT: (12.0, 12.0),
    Signal.QUEUE_LIMIT: (40.0, 40.0),
    Signal.QUEUE_FULL: (0.0, 0.7),
    Signal.LOOP_LAG: (0.002, 0.003),
    Signal.OVERHEAD: (0.0003, 0.0004),
    Signal.ENGINE_WAITING: (0.0, 2.0),
    Signal.KV_USE: (0.4, 0.7),
    Signal.PREEMPTIONS: (0.0, 0.5),
    Signal.CACHE_HITS: (0.6, 0.3),
    Signal.ENGINE_GAP: (0.02, 0.05),
    Signal.ENGINE_TTFT: (0.15, 0.3),
    Signal.ENGINE_UP: (1.0, 1.0),
    Signal.ENGINE_RESETS: (0.0, 0.0),
    Signal.GPU_USE: (0.8, 0.99),
    Signal.GPU_CLOCK: (1.98e9, 0.9e9),
    Signal.GPU_MEMORY: (70_000 * 2**20, 70_000 * 2**20),
    Signal.GPU_HEAT: (0.0, 1.0),
    Signal.GPU_BRAKE: (0.0, 0.0),
    Signal.GPU_CAPPED: (0.0, 0.0),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    """Beside the Prometheus that the project unpacked, or on the PATH."""
    unpacked = sorted(ROOT.glob(".tools/**/bin/promtool"))
    found = shutil.which("promtool") or (str(unpacked[0]) if unpacked else None)
    if found is None:
        pytest.skip("promtool is not here: it comes with `python -m experiments.stack.provide prometheus`")
    return found


def test_every_signal_is_read_as_it_was(promtool: str, tmp_path: Path) -> None:
    """Usual and bad minutes of every signal, the engine's restart after them, and what follows of it all
    without a recording: the causes that the metrics can tell.
    """
    now_s = ASKED.until_s
    with serving(promtool, tmp_path, text(SERIES, BEGIN_S - 60, now_s)) as metrics:
        _check_signals(metrics, now_s)
        seen = reading.read(None, metrics, ASKED, now_s)
    said = judge(seen)
    assert said.harm.any
    assert {Cause.THROTTLED, Cause.RESTART, Cause.PREEMPTION} <= {one.cause for one in said.causes}
    assert "the recording was not given" in seen.unseen[0]
    assert not any("GPU" in words for words in seen.unseen)


def _check_signals(metrics: ServerMetrics, now_s: float) -> None:
    around = stretches.around(ASKED, now_s, lambda span: span.from_s >= BEGIN_S)
    assert around.bin_s == 40
    assert len(around.from_s) == 13
    assert from_series.scraped(metrics, ASKED)
    assert not from_series.scraped(metrics, Span(BEGIN_S - 2000, BEGIN_S - 1000))
    metrics.engine = from_series.engine_names(metrics, ASKED)
    found = from_series.read(metrics, around, with_rows=False)
    assert set(found) == set(EXPECTED)
    bad = slice(5, 10)  # a rate looks back 60 s
    for signal, (usual, during) in EXPECTED.items():
        assert np.nanmean(found[signal][-1]) == pytest.approx(usual, rel=0.02, abs=1e-9), signal
        assert np.nanmean(found[signal][0][bad]) == pytest.approx(during, rel=0.02, abs=1e-9), signal
    assert np.isnan(found[Signal.OFFERED][1]).all(), "before it was ever scraped"
    assert found[Signal.ENGINE_RESETS][0].max() == 1.0
    assert found[Signal.ENGINE_UP][0].min() < 0.3


def test_every_metric_that_is_asked_for_is_one_of_the_gateway() -> None:
    """A name that changes there is found here; outcomes are words of the closed set."""
    asked = [*queries.in_place_of_rows(EVERYTHING, 60).values(), *queries.of_gateway(EVERYTHING, 60).values()]
    names = {name for promql in asked for name in re.findall(r"\bgateway_[a-z_0-9]+", promql)}
    assert len(names) > 15
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in names} <= set(HELP)
    words = {
        word
        for promql in asked
        for text in re.findall(r'outcome=~?"([^"]+)"', promql)
        for word in text.split("|")
    }
    known = {outcome.value for outcome in Outcome}
    assert {word for word in words if not any(re.fullmatch(word, one) for one in known)} == set()
    told = (*from_rows.REFUSED, *from_rows.TIMED_OUT, *from_rows.LEFT, *from_rows.FAILED)
    assert set(told) <= known
