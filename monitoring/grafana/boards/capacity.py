"""Capacity & Saturation: what is full, what that costs, and whether the limit sits where the engine's is."""

from __future__ import annotations

from monitoring.grafana.model import Board, Panel, Query, Row, instance, model


def board() -> Board:
    """The dashboard `headroom-capacity`."""
    return Board(
        uid="headroom-capacity",
        title="Headroom / Capacity & Saturation",
        description="Where the next request would have to wait: at the gateway, in the engine, or nowhere.",
        variables=(instance(), model()),
        rows=(
            Row("The gateway's limits", _gateway()),
            Row("The engine behind them", _engine()),
            Row("What it costs", _cost()),
        ),
    )


def _gateway() -> tuple[Panel, ...]:
    return (
        Panel(
            "Slots busy",
            "Mean share of the slots in use over a minute, from the integral: "
            "nothing between two scrapes is missed.",
            "percentunit",
            (Query('gateway:slots_busy:ratio1m{instance=~"$instance"}', "{{instance}}"),),
            top=1,
        ),
        Panel(
            "Queue, mean depth",
            "Mean number of requests waiting over a minute.",
            "short",
            (Query('gateway:queue_depth:avg1m{instance=~"$instance"}', "waiting"),),
        ),
        Panel(
            "Queue full",
            "Share of the time in which the next request would have been turned away.",
            "percentunit",
            (Query('gateway:queue_full:ratio1m{instance=~"$instance"}', "full"),),
            top=1,
        ),
    )


def _engine() -> tuple[Panel, ...]:
    return (
        Panel(
            "Slots and batch",
            "Slots in use at the gateway beside requests in the engine's batch. A gap is requests that "
            "wait in the engine.",
            "short",
            (
                Query('sum(gateway_active{instance=~"$instance"})', "slots in use"),
                Query('sum(gateway_active_limit{instance=~"$instance"})', "limit"),
                Query('sum(engine:running{model_name=~"$model"})', "in the batch"),
            ),
            steps=True,
        ),
        Panel(
            "Waiting inside the engine",
            "Above 0 for long: MAX_ACTIVE lets through more than the engine batches.",
            "short",
            (Query('engine:waiting:avg1m{model_name=~"$model"}', "{{model_name}}"),),
        ),
        Panel(
            "KV cache use and preemptions",
            "Share of the KV cache in use.",
            "percentunit",
            (Query('engine:kv_cache_use:ratio1m{model_name=~"$model"}', "{{model_name}}"),),
            top=1,
        ),
        Panel(
            "Preemptions",
            "Running requests put back to wait, per second: the cache was too full.",
            "ops",
            (Query('engine:preemptions:rate5m{model_name=~"$model"}', "{{model_name}}"),),
        ),
        Panel(
            "Tokens per request in the batch",
            "Output tokens per second, divided by the requests in the batch: the speed one reader sees.",
            "ops",
            (
                Query(
                    'engine:generation_tokens:rate1m{model_name=~"$model"} '
                    '/ (engine:running:avg1m{model_name=~"$model"} > 0)',
                    "{{model_name}}",
                ),
            ),
        ),
        Panel(
            "Tokens, all together",
            "Output tokens per second of the whole engine. Where it stops rising "
            "with the batch is its capacity.",
            "ops",
            (Query('engine:generation_tokens:rate1m{model_name=~"$model"}', "{{model_name}}"),),
        ),
    )


def _cost() -> tuple[Panel, ...]:
    return (
        Panel(
            "Asked and served",
            "Requests asked and requests that ended well, per second. They part where capacity ends.",
            "reqps",
            (
                Query('gateway:offered:rate1m{instance=~"$instance"}', "asked"),
                Query('gateway:requests:rate1m{instance=~"$instance", outcome="ok"}', "served"),
            ),
        ),
        Panel(
            "Queue wait p95",
            "95 % of those who waited or got a slot at once waited less.",
            "s",
            (Query('gateway:queue_wait_seconds:p95_1m{instance=~"$instance"}', "p95"),),
        ),
        Panel(
            "Wait of the next one",
            "Requests waiting, divided by requests that leave a slot per second: what a newcomer "
            "must expect. Empty while nothing leaves.",
            "s",
            (
                Query(
                    'gateway:queue_depth:avg1m{instance=~"$instance"} / on (instance) '
                    '(sum by (instance) (gateway:requests:rate1m{outcome=~"ok|client_abort|upstream_.+"}) '
                    "> 0)",
                    "expected",
                ),
            ),
        ),
        Panel(
            "Error budget, speed of spending",
            "1 spends exactly the 5 % that are allowed. Above 6 over an hour someone is paged.",
            "short",
            (
                Query('slo:burn:rate5m{instance=~"$instance"}', "5 min"),
                Query('slo:burn:rate1h{instance=~"$instance"}', "1 h"),
                Query('slo:burn:rate6h{instance=~"$instance"}', "6 h"),
            ),
        ),
        Panel(
            "Little's law",
            "Mean number in service, counted (integral of slots) and computed (requests per second × "
            "time in service). They agree when the books are right.",
            "short",
            (
                Query('sum(rate(gateway_active_seconds_total{instance=~"$instance"}[1m]))', "counted"),
                Query(
                    'sum(rate(gateway_request_seconds_sum{instance=~"$instance"}[1m])) '
                    '- sum(rate(gateway_queue_wait_seconds_sum{instance=~"$instance"}[1m]))',
                    "computed",
                ),
            ),
        ),
    )
