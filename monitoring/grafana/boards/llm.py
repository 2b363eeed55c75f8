"""LLM Performance: tokens, their pace, the batch, the cache, as the engine tells it.

Batch, cache and tokens come from the recording rules, which read every engine. A histogram is asked for under
the names of each engine that has it; what only vLLM tells says so in its title.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.grafana.model import Board, Panel, Query, Row, instance, model

MODEL = 'model_name=~"$model"'
GATEWAY = 'instance=~"$instance"'
TTFT = ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds")
E2E = ("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds", "tgi_request_duration")
WAIT = ("vllm:request_queue_time_seconds", "sglang:queue_time_seconds", "tgi_request_queue_duration")
GAP = (
    "vllm:inter_token_latency_seconds",
    "vllm:time_per_output_token_seconds",  # its former name
    "sglang:inter_token_latency_seconds",
    "tgi_request_mean_time_per_token_duration",
)


def board() -> Board:
    """The dashboard `headroom-llm`."""
    return Board(
        uid="headroom-llm",
        title="Headroom / LLM Performance",
        description="Tokens per second, pace of one stream, batch and cache. The engines' own histograms "
        "are coarse: quantiles from them can be off by a factor of two; the gateway's are fine.",
        variables=(instance(), model()),
        rows=(
            Row("Tokens", _tokens()),
            Row("Times", _times()),
            Row("Batch and cache", _batch()),
            Row("Requests", _requests()),
        ),
    )


def _rate(metrics: Sequence[str], part: str, selector: str = MODEL) -> str:
    """The growth of a part of a histogram, by the first of its names that an engine has."""
    return " or ".join(f"rate({metric}_{part}{{{selector}}}[$__rate_interval])" for metric in metrics)


def _mean(legend: str, *metrics: str) -> Query:
    """The mean of an engine's histogram: exact, whatever its buckets."""
    return Query(f"sum({_rate(metrics, 'sum')}) / sum({_rate(metrics, 'count')})", legend)


def _quantile(quantile: float, legend: str, *metrics: str, selector: str = MODEL) -> Query:
    rate = _rate(metrics, "bucket", selector)
    return Query(f"histogram_quantile({quantile}, sum by (le) ({rate}))", legend)


def _tokens() -> tuple[Panel, ...]:
    return (
        Panel(
            "Tokens per second",
            "Output tokens made, and prompt tokens read.",
            "ops",
            (
                Query(f"engine:generation_tokens:rate1m{{{MODEL}}}", "output {{model_name}}"),
                Query(f"engine:prompt_tokens:rate1m{{{MODEL}}}", "prompt {{model_name}}"),
            ),
            width=12,
        ),
        Panel(
            "Inter-token latency",
            "Gap between two pieces of a stream as the gateway passes them on: what a reader sees.",
            "s",
            tuple(
                _quantile(quantile, legend, "gateway_inter_token_seconds", selector=GATEWAY)
                for quantile, legend in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            width=12,
        ),
    )


def _times() -> tuple[Panel, ...]:
    return (
        Panel(
            "Time to first token, as the engine tells it",
            "Arrived at the engine to first token, the engine's queue included, "
            "the gateway's not. Coarse buckets.",
            "s",
            (
                _quantile(0.5, "p50", *TTFT),
                _quantile(0.95, "p95", *TTFT),
                _mean("mean", *TTFT),
            ),
        ),
        Panel(
            "Time to first token, as the gateway sees it",
            "With the gateway's queue (all of it) and without (engine's part).",
            "s",
            (
                _quantile(0.95, "p95, all of it", "gateway_ttft_seconds", selector=GATEWAY),
                _quantile(0.95, "p95, engine's part", "gateway_upstream_ttft_seconds", selector=GATEWAY),
            ),
        ),
        Panel(
            "Where the engine's time goes",
            "Means per request: waiting in the engine, prefill (the prompt), decode (the answer). "
            "Only vLLM tells the last two.",
            "s",
            (
                _mean("waiting", *WAIT),
                _mean("prefill", "vllm:request_prefill_time_seconds"),
                _mean("decode", "vllm:request_decode_time_seconds"),
            ),
            stacked=True,
        ),
        Panel(
            "Whole request in the engine",
            "Arrived at the engine to last token. Coarse buckets.",
            "s",
            (
                _quantile(0.5, "p50", *E2E),
                _quantile(0.95, "p95", *E2E),
                _mean("mean", *E2E),
            ),
        ),
        Panel(
            "Time per output token",
            "Mean gap between tokens: over all gaps (ITL), and over requests (TPOT).",
            "s",
            (
                _mean("ITL, mean of gaps", *GAP),
                _mean("TPOT, mean of requests", "vllm:request_time_per_output_token_seconds"),
            ),
        ),
    )


def _batch() -> tuple[Panel, ...]:
    return (
        Panel(
            "Running and waiting",
            "Requests in the batch, and requests that wait inside the engine.",
            "short",
            (
                Query(f"engine:running{{{MODEL}}}", "running"),
                Query(f"engine:waiting{{{MODEL}}}", "waiting"),
            ),
            steps=True,
        ),
        Panel(
            "Tokens per step (vLLM)",
            "Mean number of tokens worked on in one step of the engine (decode: "
            "one a request; prefill: many).",
            "short",
            (_mean("tokens", "vllm:iteration_tokens_total"),),
        ),
        Panel(
            "KV cache use",
            "Share of the KV cache in use.",
            "percentunit",
            (Query(f"engine:kv_cache_use:ratio{{{MODEL}}}", "{{model_name}}"),),
            top=1,
        ),
        Panel(
            "Prefix cache hits",
            "Share of the prompt tokens whose keys and values were still "
            "in the cache. Empty without prompts.",
            "percentunit",
            (Query(f"engine:prefix_cache_hits:ratio1m{{{MODEL}}}", "{{model_name}}"),),
            top=1,
        ),
        Panel(
            "Preemptions",
            "Running requests put back to wait for want of cache, per second.",
            "ops",
            (Query(f"engine:preemptions:rate5m{{{MODEL}}}", "{{model_name}}"),),
        ),
    )


def _requests() -> tuple[Panel, ...]:
    return (
        Panel(
            "Finished by reason (vLLM)",
            "Why the engine's requests ended: stop, length, abort (the client "
            "or the gateway gave up), error.",
            "reqps",
            (
                Query(
                    f"sum by (finished_reason) "
                    f"(rate(vllm:request_success_total{{{MODEL}}}[$__rate_interval]))",
                    "{{finished_reason}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Length of prompts (vLLM)",
            "Tokens per prompt, mean and p95.",
            "short",
            (
                _mean("mean", "vllm:request_prompt_tokens"),
                _quantile(0.95, "p95", "vllm:request_prompt_tokens"),
            ),
        ),
        Panel(
            "Length of answers (vLLM)",
            "Tokens per answer, mean and p95.",
            "short",
            (
                _mean("mean", "vllm:request_generation_tokens"),
                _quantile(0.95, "p95", "vllm:request_generation_tokens"),
            ),
        ),
    )
