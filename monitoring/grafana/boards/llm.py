"""LLM Performance: tokens, their pace, the batch, the cache, as the engine tells it."""

from __future__ import annotations

from monitoring.grafana.model import Board, Panel, Query, Row, instance, model

MODEL = 'model_name=~"$model"'


def board() -> Board:
    """The dashboard `headroom-llm`."""
    return Board(
        uid="headroom-llm",
        title="Headroom / LLM Performance",
        description="Tokens per second, pace of one stream, batch and cache. vLLM's own histograms "
        "are coarse: quantiles from them can be off by a factor of two; the gateway's are fine.",
        variables=(instance(), model()),
        rows=(
            Row("Tokens", _tokens()),
            Row("Times", _times()),
            Row("Batch and cache", _batch()),
            Row("Requests", _requests()),
        ),
    )


def _mean(metric: str, legend: str) -> Query:
    """The mean of a vLLM histogram: exact, whatever its buckets."""
    return Query(
        f"sum(rate({metric}_sum{{{MODEL}}}[$__rate_interval])) / "
        f"sum(rate({metric}_count{{{MODEL}}}[$__rate_interval]))",
        legend,
    )


def _quantile(quantile: float, metric: str, selector: str, legend: str) -> Query:
    return Query(
        f"histogram_quantile({quantile}, sum by (le) "
        f"(rate({metric}_bucket{{{selector}}}[$__rate_interval])))",
        legend,
    )


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
                _quantile(quantile, "gateway_inter_token_seconds", 'instance=~"$instance"', legend)
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
                _quantile(0.5, "vllm:time_to_first_token_seconds", MODEL, "p50"),
                _quantile(0.95, "vllm:time_to_first_token_seconds", MODEL, "p95"),
                _mean("vllm:time_to_first_token_seconds", "mean"),
            ),
        ),
        Panel(
            "Time to first token, as the gateway sees it",
            "With the gateway's queue (all of it) and without (engine's part).",
            "s",
            (
                _quantile(0.95, "gateway_ttft_seconds", 'instance=~"$instance"', "p95, all of it"),
                _quantile(
                    0.95, "gateway_upstream_ttft_seconds", 'instance=~"$instance"', "p95, engine's part"
                ),
            ),
        ),
        Panel(
            "Where the engine's time goes",
            "Means per request: waiting in the engine, prefill (the prompt), decode (the answer).",
            "s",
            (
                _mean("vllm:request_queue_time_seconds", "waiting"),
                _mean("vllm:request_prefill_time_seconds", "prefill"),
                _mean("vllm:request_decode_time_seconds", "decode"),
            ),
            stacked=True,
        ),
        Panel(
            "Whole request in the engine",
            "Arrived at the engine to last token. Coarse buckets.",
            "s",
            (
                _quantile(0.5, "vllm:e2e_request_latency_seconds", MODEL, "p50"),
                _quantile(0.95, "vllm:e2e_request_latency_seconds", MODEL, "p95"),
                _mean("vllm:e2e_request_latency_seconds", "mean"),
            ),
        ),
        Panel(
            "Time per output token",
            "Mean gap between tokens: over all gaps (ITL), and over requests (TPOT).",
            "s",
            (
                _mean("vllm:inter_token_latency_seconds", "ITL, mean of gaps"),
                _mean("vllm:request_time_per_output_token_seconds", "TPOT, mean of requests"),
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
                Query(f"vllm:num_requests_running{{{MODEL}}}", "running"),
                Query(f"vllm:num_requests_waiting{{{MODEL}}}", "waiting"),
            ),
            steps=True,
        ),
        Panel(
            "Tokens per step",
            "Mean number of tokens worked on in one step of the engine (decode: "
            "one a request; prefill: many).",
            "short",
            (_mean("vllm:iteration_tokens_total", "tokens"),),
        ),
        Panel(
            "KV cache use",
            "Share of the KV cache in use.",
            "percentunit",
            (Query(f"vllm:kv_cache_usage_perc{{{MODEL}}}", "{{model_name}}"),),
            top=1,
        ),
        Panel(
            "Prefix cache hits",
            "Share of the prompt tokens whose keys and values were still "
            "in the cache. Empty without prompts.",
            "percentunit",
            (
                Query(
                    f"sum(rate(vllm:prefix_cache_hits_total{{{MODEL}}}[$__rate_interval])) "
                    f"/ sum(rate(vllm:prefix_cache_queries_total{{{MODEL}}}[$__rate_interval]))",
                    "hits",
                ),
            ),
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
            "Finished by reason",
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
            "Length of prompts",
            "Tokens per prompt, mean and p95.",
            "short",
            (
                _mean("vllm:request_prompt_tokens", "mean"),
                _quantile(0.95, "vllm:request_prompt_tokens", MODEL, "p95"),
            ),
        ),
        Panel(
            "Length of answers",
            "Tokens per answer, mean and p95.",
            "short",
            (
                _mean("vllm:request_generation_tokens", "mean"),
                _quantile(0.95, "vllm:request_generation_tokens", MODEL, "p95"),
            ),
        ),
    )
