"""What an engine calls its own metrics: a field for each that a sweep or a calibration reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from experiments.observe import metrics_page

_PARTS = ("", "_count", "_bucket")
"""A histogram is on the page by its parts."""


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Names on an engine's Prometheus page; None where it has no such metric: what that would tell is then
    not known, and left out.

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

    running: str | None = None
    waiting: str | None = None
    kv_use_ratio: str | None = None
    steps: str | None = None
    prompt_tokens: str | None = None
    output_tokens: str | None = None
    prefix_hit_tokens: str | None = None
    preemptions: str | None = None
    e2e_s: str | None = None
    queue_s: str | None = None
    prefill_s: str | None = None
    ttft_s: str | None = None
    gap_s: str | None = None
    cache_info: str | None = None

    def names(self) -> dict[str, str]:
        """Field → name, of those that the engine has."""
        return {what: name for what, name in asdict(self).items() if name is not None}

    def untold(self, page: str = "") -> tuple[str, ...]:
        """What the engine does not tell, in words: it has no name for it or, once it has counted a prompt,
        no sample on its page."""
        there = names_on(page)
        told = self.names()
        if self.prompt_tokens in there:
            told = {what: name for what, name in told.items() if _is_on(there, name)}
        return tuple(words for what, words in _IN_WORDS.items() if what not in told)


_IN_WORDS = {
    "running": "its batch",
    "waiting": "its own queue",
    "kv_use_ratio": "KV cache use",
    "preemptions": "preemptions",
    "prefix_hit_tokens": "prefix cache hits",
    "e2e_s": "times of requests",
    "queue_s": "time in its queue",
    "prefill_s": "time in prefill",
}


@dataclass(frozen=True, slots=True)
class EngineNames:
    """An engine's names over its versions.

    Attributes:
        newest: of the version that is released now.
        former: field of `EngineMetrics` → other names of the same thing, the newer first.
        not_always: fields that some versions lack: their name counts only where it is on the page. The
            others may come to the page with the first request.
    """

    newest: EngineMetrics
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_always: frozenset[str] = frozenset()

    def on(self, page: str) -> EngineMetrics:
        """The names that a running engine goes by, from its metrics page."""
        there = names_on(page)
        found: dict[str, str | None] = {}
        for item in fields(EngineMetrics):
            newest: str | None = getattr(self.newest, item.name)
            names = [name for name in (newest, *self.former.get(item.name, ())) if name]
            present = (name for name in names if _is_on(there, name))
            absent = None if item.name in self.not_always else newest
            found[item.name] = next(present, absent)
        return EngineMetrics(**found)


def names_on(page: str) -> frozenset[str]:
    """The names of the samples on a Prometheus page."""
    return frozenset(sample.name for sample in metrics_page.samples(page))


def _is_on(page: frozenset[str], name: str) -> bool:
    return any(name + part in page for part in _PARTS)


VLLM = EngineMetrics(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    kv_use_ratio="vllm:kv_cache_usage_perc",
    steps="vllm:iteration_tokens_total_count",
    prompt_tokens="vllm:prompt_tokens_total",
    output_tokens="vllm:generation_tokens_total",
    prefix_hit_tokens="vllm:prefix_cache_hits_total",
    preemptions="vllm:num_preemptions_total",
    e2e_s="vllm:e2e_request_latency_seconds",
    queue_s="vllm:request_queue_time_seconds",
    prefill_s="vllm:request_prefill_time_seconds",
    ttft_s="vllm:time_to_first_token_seconds",
    gap_s="vllm:inter_token_latency_seconds",
    cache_info="vllm:cache_config_info",
)
"""vLLM's names, which the emulator shares."""

# Until 0.8 the hits of the prefix cache were counted in blocks, as vllm:gpu_prefix_cache_hits: no tokens.
VLLM_NAMES = EngineNames(
    VLLM,
    former={
        "kv_use_ratio": ("vllm:gpu_cache_usage_perc",),
        "gap_s": ("vllm:time_per_output_token_seconds",),
    },
    not_always=frozenset({"prefix_hit_tokens"}),
)
