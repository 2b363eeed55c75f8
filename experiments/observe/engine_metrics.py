"""What an engine calls its own metrics: a field for each that a sweep or a calibration reads of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Names on an engine's Prometheus page; None where it has no such metric, which then counts as zero or is
    left out. The defaults are vLLM's, which the emulator shares.

    Attributes:
        running, waiting: gauges, requests in the batch and in the engine's own queue.
        kv_use_ratio: gauge, share of the KV cache in use, 0–1.
        steps: counter of engine steps.
        prompt_tokens, output_tokens, prefix_hit_tokens: counters of tokens: in prompts, generated, and found
            in the prefix cache.
        preemptions: counter of requests that had to leave the batch.
        e2e_s, queue_s, prefill_s, ttft_s, gap_s: histograms, seconds: whole request, wait in the engine's
            queue, prefill, time to first token, gap between tokens.
        cache_info: gauge whose labels tell size and blocks of the KV cache.
    """

    running: str = "vllm:num_requests_running"
    waiting: str | None = "vllm:num_requests_waiting"
    kv_use_ratio: str | None = "vllm:kv_cache_usage_perc"
    steps: str | None = "vllm:iteration_tokens_total_count"
    prompt_tokens: str = "vllm:prompt_tokens_total"
    output_tokens: str | None = "vllm:generation_tokens_total"
    prefix_hit_tokens: str | None = "vllm:prefix_cache_hits_total"
    preemptions: str | None = "vllm:num_preemptions_total"
    e2e_s: str = "vllm:e2e_request_latency_seconds"
    queue_s: str | None = "vllm:request_queue_time_seconds"
    prefill_s: str | None = "vllm:request_prefill_time_seconds"
    ttft_s: str | None = "vllm:time_to_first_token_seconds"
    gap_s: str | None = "vllm:inter_token_latency_seconds"
    cache_info: str | None = "vllm:cache_config_info"


VLLM = EngineMetrics()
"""vLLM's names."""
