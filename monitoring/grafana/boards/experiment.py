"""Experiment: a sweep in progress, its cells as annotations; load generator beside gateway and engine."""

from __future__ import annotations

from monitoring.grafana.model import Board, Panel, Query, Row, instance, model

WINDOW = "15s"
"""Short, because a cell of a sweep may last half a minute; at one scrape a second it holds 15 samples."""


def board() -> Board:
    """The dashboard `headroom-experiment`."""
    return Board(
        uid="headroom-experiment",
        title="Headroom / Experiment",
        description="A sweep or a load run while it runs. The report made afterwards is what decides.",
        variables=(instance(), model()),
        runs_as_annotations=True,
        rows=(Row("Settings of the cell", _settings()), Row("Answers", _answers()), Row("Engine", _engine())),
    )


def _settings() -> tuple[Panel, ...]:
    return (
        Panel(
            "Slots and their limit",
            "The limit steps from cell to cell; in use at the limit is a full house.",
            "short",
            (
                Query('gateway_active{instance=~"$instance"}', "in use"),
                Query('gateway_active_limit{instance=~"$instance"}', "MAX_ACTIVE"),
            ),
            steps=True,
            width=12,
        ),
        Panel(
            "Queue and its limit",
            "Requests waiting, and QUEUE_MAX of the cell (0 in reject mode).",
            "short",
            (
                Query('gateway_queue_depth{instance=~"$instance"}', "waiting"),
                Query('gateway_queue_limit{instance=~"$instance"}', "QUEUE_MAX"),
            ),
            steps=True,
            width=12,
        ),
    )


def _answers() -> tuple[Panel, ...]:
    served = 'sum by (le) (rate(gateway_ttft_seconds_bucket{instance=~"$instance"}'
    return (
        Panel(
            "Requests by outcome",
            "Per second, as the gateway counts them.",
            "reqps",
            (
                Query(
                    "sum by (outcome) (rate(gateway_requests_total"
                    f'{{instance=~"$instance", route=~"chat|completions"}}[{WINDOW}]))',
                    "{{outcome}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "TTFT",
            "Request read by the gateway to first token, queue included.",
            "s",
            (
                Query(f"histogram_quantile(0.5, {served}[{WINDOW}])))", "p50"),
                Query(f"histogram_quantile(0.95, {served}[{WINDOW}])))", "p95"),
            ),
        ),
        Panel(
            "Whole request",
            "Of requests that ended well.",
            "s",
            tuple(
                Query(
                    f"histogram_quantile({quantile}, sum by (le) (rate("
                    f'gateway_request_seconds_bucket{{instance=~"$instance", outcome="ok"}}[{WINDOW}])))',
                    legend,
                )
                for quantile, legend in ((0.5, "p50"), (0.95, "p95"))
            ),
        ),
    )


def _engine() -> tuple[Panel, ...]:
    return (
        Panel(
            "Running and waiting",
            "Requests in the engine's batch, and requests that wait inside it.",
            "short",
            (
                Query('vllm:num_requests_running{model_name=~"$model"}', "running"),
                Query('vllm:num_requests_waiting{model_name=~"$model"}', "waiting"),
            ),
            steps=True,
        ),
        Panel(
            "Output tokens per second",
            "Of the whole engine.",
            "ops",
            (Query(f'sum(rate(vllm:generation_tokens_total{{model_name=~"$model"}}[{WINDOW}]))', "tokens"),),
        ),
        Panel(
            "KV cache use",
            "Share of the KV cache in use.",
            "percentunit",
            (Query('vllm:kv_cache_usage_perc{model_name=~"$model"}', "{{model_name}}"),),
            top=1,
        ),
    )
