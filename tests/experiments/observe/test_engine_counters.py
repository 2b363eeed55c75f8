"""The engine's own account of a cell."""

from pathlib import Path

import httpx

from experiments.observe import engine_counters, engine_metrics
from experiments.stack import engine
from loadtests.reach.endpoint import Endpoint

_PAGE = """# HELP vllm:e2e_request_latency_seconds x
# TYPE vllm:e2e_request_latency_seconds histogram
vllm:e2e_request_latency_seconds_bucket{{model="m",le="+Inf"}} {n}
vllm:e2e_request_latency_seconds_sum{{model="m"}} {sum_s}
vllm:e2e_request_latency_seconds_count{{model="m"}} {n}
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{{model="m"}} {tokens}
"""


def test_the_growth_is_that_between_two_pages() -> None:
    """Counters that an engine does not have are not known; one that goes down is a restart."""
    before, after = _PAGE.format(n=10, sum_s=5.0, tokens=100), _PAGE.format(n=30, sum_s=17.5, tokens=400)
    grown = engine_counters.growth(before, after, engine_metrics.VLLM)
    assert grown is not None
    assert (grown.requests, grown.request_s, grown.prompt_tokens, grown.queue_s) == (20, 12.5, 300, None)
    assert not grown.restarted
    again = engine_counters.growth(after, before, engine_metrics.VLLM)
    assert again is not None
    assert again.restarted


def test_a_page_without_requests_is_no_account() -> None:
    """A server that is not a vLLM, or says nothing at all."""
    assert engine_counters.growth("", "python_info 1\n", engine_metrics.VLLM) is None
    assert engine_counters.read(Endpoint.parse("http://127.0.0.1:9")) is None


def test_the_emulator_counts_what_it_answered(tmp_path: Path) -> None:
    """Two real requests of 5 prompt words each."""
    with engine.running(engine.choose("emulator"), log_dir=tmp_path) as emulator:
        before = engine_counters.read(Endpoint.parse(emulator.url))
        for _ in range(2):
            body = {
                "model": emulator.model,
                "messages": [{"role": "user", "content": "a b"}],
                "max_tokens": 3,
            }
            httpx.post(f"{emulator.url}/v1/chat/completions", json=body, trust_env=False).raise_for_status()
        after = engine_counters.read(Endpoint.parse(emulator.url))
    assert before is not None
    assert after is not None
    grown = engine_counters.growth(before, after, engine_metrics.VLLM)
    assert grown is not None
    assert grown.requests == 2
    assert grown.request_s > 0
