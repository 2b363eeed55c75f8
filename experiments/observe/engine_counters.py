"""What an engine itself counted over a cell, read from its `/metrics` at both edges. vLLM's names; the
emulator has the same."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from experiments.observe.engine_growth import EngineGrowth

COUNTERS = {
    "request_s": "vllm:e2e_request_latency_seconds_sum",
    "requests": "vllm:e2e_request_latency_seconds_count",
    "prefix_hit_tokens": "vllm:prefix_cache_hits_total",
    "prompt_tokens": "vllm:prompt_tokens_total",
    "queue_s": "vllm:request_queue_time_seconds_sum",
    "prefill_s": "vllm:request_prefill_time_seconds_sum",
    "preemptions": "vllm:num_preemptions_total",
}
"""Field of `EngineGrowth` → name of the sample."""
NOT_EVERY_ENGINE_HAS = ("prefix_hit_tokens", "queue_s", "prefill_s", "preemptions")


def read(engine_url: str) -> str | None:
    """The engine's metrics page now; None when it has none or does not answer within five seconds."""
    try:
        response = httpx.get(f"{engine_url.rstrip('/')}/metrics", timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None


def growth(before: str, after: str) -> EngineGrowth | None:
    """Growth between two pages; None where the engine does not count requests."""
    first, last = _sums(before), _sums(after)
    needed = [name for name in COUNTERS if name not in NOT_EVERY_ENGINE_HAS]
    if any(COUNTERS[name] not in last for name in needed):
        return None
    grown = {name: last.get(sample, 0.0) - first.get(sample, 0.0) for name, sample in COUNTERS.items()}
    return EngineGrowth(**grown)


def _sums(page: str) -> dict[str, float]:
    """Sum over the series of each sample that is wanted."""
    wanted = set(COUNTERS.values())
    lines = [line for line in page.splitlines() if line.partition("{")[0].partition(" ")[0] in wanted]
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
