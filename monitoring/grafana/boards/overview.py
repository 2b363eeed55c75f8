"""Overview: is it well, how much is asked, what comes of it. The first screen."""

from __future__ import annotations

from monitoring.grafana.model import Board, Panel, Query, Row, Threshold, instance, model


def board() -> Board:
    """The dashboard `headroom-overview`."""
    return Board(
        uid="headroom-overview",
        title="Headroom / Overview",
        description="Is the service well, how much is asked of it, and what becomes of it.",
        variables=(instance(), model()),
        rows=(Row("Now", _now()), Row("Requests", _requests()), Row("Where it is full", _full())),
    )


def _now() -> tuple[Panel, ...]:
    return (*_busy_now(), *_well_now())


def _busy_now() -> tuple[Panel, ...]:
    return (
        Panel(
            "Up",
            "1: answers its scrapes. 0: does not.",
            "short",
            (Query('up{job=~"gateway|engine"}', "{{job}}"),),
            kind="stat",
            width=4,
            height=5,
        ),
        Panel(
            "Slots in use",
            "Requests with the engine now, and MAX_ACTIVE in force (read from "
            "the gateway, so a live change shows).",
            "short",
            (
                Query('gateway_active{instance=~"$instance"}', "in use"),
                Query('gateway_active_limit{instance=~"$instance"}', "limit"),
            ),
            kind="stat",
            width=4,
            height=5,
        ),
        Panel(
            "Queue",
            "Requests waiting for a slot now, and QUEUE_MAX in force (0 in reject mode).",
            "short",
            (
                Query('gateway_queue_depth{instance=~"$instance"}', "waiting"),
                Query('gateway_queue_limit{instance=~"$instance"}', "limit"),
            ),
            kind="stat",
            width=4,
            height=5,
        ),
    )


def _well_now() -> tuple[Panel, ...]:
    return (
        Panel(
            "Bad requests",
            "Rejected, timed out, failed or without a first token after 1 s; "
            "share of the requests of five minutes.",
            "percentunit",
            (Query('slo:bad:ratio5m{instance=~"$instance"}', "bad"),),
            kind="stat",
            width=4,
            height=5,
            thresholds=(Threshold(0.05, "orange"), Threshold(0.3, "red")),
        ),
        Panel(
            "TTFT p95",
            "Request read by the gateway to first token, queue included; 95 % were faster. One minute.",
            "s",
            (Query('gateway:ttft_seconds:p95_1m{instance=~"$instance"}', "p95"),),
            kind="stat",
            width=4,
            height=5,
            thresholds=(Threshold(1.0, "orange"),),
        ),
        Panel(
            "Alerts",
            "Firing and pending alerts; the runbook has an entry for each.",
            "short",
            (),
            kind="alertlist",
            width=4,
            height=5,
        ),
    )


def _requests() -> tuple[Panel, ...]:
    return (
        Panel(
            "Requests by outcome",
            "What became of the requests, per second. The height is what was asked.",
            "reqps",
            (Query('gateway:requests:rate1m{instance=~"$instance"}', "{{outcome}}"),),
            stacked=True,
            width=12,
        ),
        Panel(
            "TTFT",
            "Request read to first token, queue included: half, and 95 %, were faster.",
            "s",
            (
                Query('gateway:ttft_seconds:p50_1m{instance=~"$instance"}', "p50"),
                Query('gateway:ttft_seconds:p95_1m{instance=~"$instance"}', "p95"),
            ),
            width=6,
        ),
        Panel(
            "Whole request",
            "Request read to the end of its answer, of requests that ended well.",
            "s",
            (
                Query('gateway:request_seconds:p50_1m{instance=~"$instance"}', "p50"),
                Query('gateway:request_seconds:p95_1m{instance=~"$instance"}', "p95"),
            ),
            width=6,
        ),
    )


def _full() -> tuple[Panel, ...]:
    return (
        Panel(
            "Slots busy",
            "Mean share of the slots in use over a minute. Near 1 with a queue is saturation.",
            "percentunit",
            (Query('gateway:slots_busy:ratio1m{instance=~"$instance"}', "{{instance}}"),),
            top=1,
            width=6,
        ),
        Panel(
            "KV cache use",
            "Share of the engine's KV cache in use; near 1 it preempts.",
            "percentunit",
            (Query('engine:kv_cache_use:ratio1m{model_name=~"$model"}', "{{model_name}}"),),
            top=1,
            width=6,
        ),
        Panel(
            "Tokens generated",
            "Output tokens per second of the whole engine.",
            "ops",
            (Query('engine:generation_tokens:rate1m{model_name=~"$model"}', "{{model_name}}"),),
            width=6,
        ),
        Panel(
            "GPU",
            "Share of time with a kernel running (busy, not necessarily efficient), "
            "and share of memory in use.",
            "percentunit",
            (
                Query("gpu:utilisation:ratio", "GPU {{gpu}} busy"),
                Query("gpu:memory_used:ratio", "GPU {{gpu}} memory"),
            ),
            top=1,
            width=6,
        ),
    )
