"""Experiment: a sweep in progress, its cells as annotations; load generator beside gateway and engine."""

from __future__ import annotations

from monitoring.grafana.model import ROUTES, Board, Panel, Query, Row, instance, model, run

WINDOW = "15s"
"""Short, because a cell of a sweep may last half a minute; at one scrape a second it holds 15 samples."""
OF_RUN = 'on (job, instance) group_left () loadgen_run_info{run=~"$run"}'
"""What a generator's series are multiplied by (it is 1), so that those of the chosen runs are left."""


def board() -> Board:
    """The dashboard `headroom-experiment`."""
    return Board(
        uid="headroom-experiment",
        title="Headroom / Experiment",
        description="A sweep or a load run while it runs. The report made afterwards is what decides.",
        variables=(instance(), model(), run()),
        runs_as_annotations=True,
        rows=(
            Row("Settings of the cell", _settings()),
            Row("Load generator", _load()),
            Row("Answers", _answers()),
            Row("Engine", _engine()),
        ),
    )


def _settings() -> tuple[Panel, ...]:
    return (
        Panel(
            "Run and cell",
            "What the load generator plays now, by the folder it writes to. Empty while none runs, or where "
            "this Prometheus does not scrape it.",
            "short",
            (Query('loadgen_run_info{run=~"$run"}', "{{run}} {{cell}}"),),
            kind="stat",
            named=True,
            width=24,
            height=3,
        ),
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


def _load() -> tuple[Panel, ...]:
    return (
        Panel(
            "Due and sent",
            "Requests per second that the plan says are due, and that left. Where they part, the generator "
            "is the bottleneck, and the cell is invalid.",
            "reqps",
            (
                Query(f"sum(rate(loadgen_due_requests_total[{WINDOW}]) * {OF_RUN})", "due"),
                Query(f"sum(rate(loadgen_sent_requests_total[{WINDOW}]) * {OF_RUN})", "sent"),
            ),
        ),
        Panel(
            "Ended, by outcome",
            "Per second, as the clients count them: judged by what they got.",
            "reqps",
            (
                Query(
                    f"sum by (outcome) (rate(loadgen_requests_total[{WINDOW}]) * {OF_RUN}) > 0", "{{outcome}}"
                ),
            ),
            stacked=True,
        ),
        Panel(
            "In flight",
            "Sent and not ended at the client, beside what gateway and queue hold. The rest is on the way.",
            "short",
            (
                Query(f"sum(loadgen_in_flight_requests * {OF_RUN})", "client"),
                Query(
                    'sum(gateway_active{instance=~"$instance"}) + '
                    'sum(gateway_queue_depth{instance=~"$instance"})',
                    "gateway",
                ),
            ),
        ),
        Panel(
            "Send lag",
            "How much later than due requests leave, since the start of the cell. "
            "Its p99 belongs in every latency.",
            "s",
            (Query(f"loadgen_send_lag_seconds * {OF_RUN}", "p{{quantile}}"),),
            width=12,
        ),
        Panel(
            "Output tokens received",
            "Of served requests, per second, as the clients count them.",
            "ops",
            (Query(f"sum(rate(loadgen_output_tokens_total[{WINDOW}]) * {OF_RUN})", "tokens"),),
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
                    f'{{instance=~"$instance", route=~"{ROUTES}"}}[{WINDOW}]))',
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
                Query('engine:running{model_name=~"$model"}', "running"),
                Query('engine:waiting{model_name=~"$model"}', "waiting"),
            ),
            steps=True,
        ),
        Panel(
            "Output tokens per second",
            "Of the whole engine.",
            "ops",
            (Query('sum(engine:generation_tokens:rate15s{model_name=~"$model"})', "tokens"),),
        ),
        Panel(
            "KV cache use",
            "Share of the KV cache in use.",
            "percentunit",
            (Query('engine:kv_cache_use:ratio{model_name=~"$model"}', "{{model_name}}"),),
            top=1,
        ),
    )
