"""Gateway: slots, queue, waits, outcomes, errors by status, and the process itself."""

from __future__ import annotations

from monitoring.grafana.model import ROUTES, Board, Panel, Query, Row, instance


def board() -> Board:
    """The dashboard `headroom-gateway`."""
    return Board(
        uid="headroom-gateway",
        title="Headroom / Gateway",
        description="Admission: who got a slot, who waited, who was turned away, and what the gateway costs.",
        variables=(instance(),),
        rows=(
            Row("Admission", _admission()),
            Row("Outcomes", _outcomes()),
            Row("Times", _times()),
            Row("Lanes", _lanes()),
            Row("Slots in tokens", _tokens()),
            Row("The process", _process()),
        ),
    )


def _quantiles(
    metric: str, quantiles: tuple[float, ...] = (0.5, 0.95, 0.99), only: str = ""
) -> tuple[Query, ...]:
    """Quantiles of a gateway histogram over the series that `only` (a matcher, leading comma) selects."""
    return tuple(
        Query(
            f"histogram_quantile({quantile}, sum by (le) "
            f'(rate({metric}_bucket{{instance=~"$instance"{only}}}[$__rate_interval])))',
            f"p{quantile * 100:.0f}",
        )
        for quantile in quantiles
    )


def _admission() -> tuple[Panel, ...]:
    return (
        Panel(
            "Slots",
            "Requests with the engine, and MAX_ACTIVE in force.",
            "short",
            (
                Query('gateway_active{instance=~"$instance"}', "in use"),
                Query('gateway_active_limit{instance=~"$instance"}', "limit"),
            ),
            steps=True,
        ),
        Panel(
            "Queue",
            "Requests waiting for a slot, and QUEUE_MAX in force (0 in reject mode).",
            "short",
            (
                Query('gateway_queue_depth{instance=~"$instance"}', "waiting"),
                Query('gateway_queue_limit{instance=~"$instance"}', "limit"),
            ),
            steps=True,
        ),
        Panel(
            "Changes of the limits",
            "Version of the limits in force: a step is a change through /admin/limits.",
            "short",
            (Query('gateway_limits_version{instance=~"$instance"}', "version"),),
            steps=True,
        ),
    )


def _outcomes() -> tuple[Panel, ...]:
    return (
        Panel(
            "Requests by outcome",
            "Per second; the height is what was asked.",
            "reqps",
            (Query('gateway:requests:rate1m{instance=~"$instance"}', "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Errors by status",
            "Answers other than 2xx, per second, by HTTP status (499: the client left).",
            "reqps",
            (
                Query(
                    "sum by (code) (rate(gateway_requests_total"
                    f'{{instance=~"$instance", route=~"{ROUTES}", code!~"2.."}}[$__rate_interval]))',
                    "{{code}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Shares",
            "Of what was asked in five minutes: turned away, waited in vain, failed behind the gateway.",
            "percentunit",
            (
                Query('gateway:rejected:ratio5m{instance=~"$instance"}', "rejected"),
                Query('gateway:queue_timeouts:ratio5m{instance=~"$instance"}', "queue timeouts"),
                Query('gateway:upstream_failures:ratio5m{instance=~"$instance"}', "failed upstream"),
            ),
        ),
    )


def _times() -> tuple[Panel, ...]:
    return (
        Panel(
            "Queue wait",
            "Time waiting for a slot, of every request that got one or gave up.",
            "s",
            _quantiles("gateway_queue_wait_seconds"),
        ),
        Panel(
            "Time to first token",
            "Request read to first token, queue included.",
            "s",
            _quantiles("gateway_ttft_seconds"),
        ),
        Panel(
            "Time to first token, engine's part",
            "Handed to the engine to first token: the wait at the gateway is not in it.",
            "s",
            _quantiles("gateway_upstream_ttft_seconds"),
        ),
        Panel(
            "Whole request",
            "Request read to the end of its answer, of requests that ended well.",
            "s",
            _quantiles("gateway_request_seconds", only=', outcome="ok"'),
        ),
        Panel(
            "Retry-After",
            "What refused clients were told to wait.",
            "s",
            _quantiles("gateway_retry_after_seconds", (0.5, 0.95)),
        ),
        Panel(
            "Queue wait, spread",
            "Each column is an interval; the darker, the more requests waited that long.",
            "s",
            (
                Query(
                    "sum by (le) "
                    '(increase(gateway_queue_wait_seconds_bucket{instance=~"$instance"}[$__rate_interval]))',
                    "{{le}}",
                ),
            ),
            kind="heatmap",
        ),
    )


def _lanes() -> tuple[Panel, ...]:
    lane = "{{tenant}}/{{priority_class}}"
    return (
        Panel(
            "Tokens by lane",
            "Per second, prompt and output, of the twenty lanes with most. In one class and while they all "
            "wait, their shares are those of their weights.",
            "short",
            (Query(_most(_rate("gateway_lane_tokens_total")), lane),),
            stacked=True,
        ),
        Panel(
            "Waiting by lane",
            "Requests that wait for a slot, of the twenty lanes with most.",
            "short",
            (Query(_most('gateway_lane_queue_depth{instance=~"$instance"}'), lane),),
            steps=True,
        ),
        Panel(
            "Slots by lane",
            "Slots held now, of the twenty lanes with most.",
            "short",
            (Query(_most('gateway_lane_active{instance=~"$instance"}'), lane),),
            steps=True,
        ),
        Panel(
            "Mean wait by lane",
            "For a slot, of requests that ended, of the twenty lanes with the longest.",
            "s",
            (
                Query(
                    _most(
                        f"{_rate('gateway_lane_queue_wait_seconds_sum')} "
                        f"/ {_rate('gateway_lane_queue_wait_seconds_count')}"
                    ),
                    lane,
                ),
            ),
        ),
        Panel(
            "Time to first token by class, p95",
            "From when the request was read, the wait included; of whole answers only the wait.",
            "s",
            (
                Query(
                    "histogram_quantile(0.95, sum by (le, priority_class) "
                    '(rate(gateway_class_ttft_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
                    "{{priority_class}}",
                ),
            ),
        ),
        *_turned_away(lane),
    )


def _turned_away(lane: str) -> tuple[Panel, ...]:
    return (
        Panel(
            "Turned away by lane",
            "Per second: over its tokens per minute, no place in the queue, or waited in vain; of the twenty "
            "lanes with most.",
            "reqps",
            (
                Query(
                    _most(
                        "sum by (tenant, priority_class, outcome) (rate(gateway_lane_requests_total"
                        '{instance=~"$instance", outcome=~"over_budget|rejected_.+|queue_timeout"}'
                        "[$__rate_interval]))"
                    ),
                    lane + ": {{outcome}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Changes of the lanes",
            "Version of the lanes in force: a step is a change through /admin/lanes.",
            "short",
            (Query('gateway_lanes_version{instance=~"$instance"}', "version"),),
            steps=True,
        ),
    )


def _tokens() -> tuple[Panel, ...]:
    held, budget = (f'gateway_kv_tokens_{name}{{instance=~"$instance"}}' for name in ("held", "limit"))
    return (
        Panel(
            "KV cache tokens",
            "What the running requests may need of the engine's KV cache, and the budget of it; with "
            "SLOT_COST=tokens only.",
            "short",
            (Query(held, "held"), Query(budget, "budget")),
            steps=True,
        ),
        Panel(
            "Part of the budget that is held",
            "Near 100 % while requests wait: tokens bind. Far below it: MAX_ACTIVE does.",
            "percentunit",
            (Query(f"{held} / {budget}", "held"),),
        ),
        Panel(
            "KV cache tokens of a request",
            "Mean of those that run, as estimated, or as the engine has counted. Above 100 % of the budget "
            "one runs alone.",
            "short",
            (Query(f'{held} / (gateway_active{{instance=~"$instance"}} > 0)', "mean"),),
        ),
    )


def _rate(counter: str) -> str:
    return f'sum by (tenant, priority_class) (rate({counter}{{instance=~"$instance"}}[$__rate_interval]))'


def _most(query: str) -> str:
    """A thousand tenants are no graph."""
    return f"topk(20, {query})"


def _process() -> tuple[Panel, ...]:
    return (
        Panel(
            "API CPU usage",
            "Cores used by the gateway's process. It is one process: at 1 core it is the bottleneck itself.",
            "percentunit",
            (Query('rate(gateway_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])', "CPU"),),
        ),
        Panel(
            "Memory",
            "Resident memory of the gateway's process.",
            "bytes",
            (Query('gateway_resident_bytes{instance=~"$instance"}', "resident"),),
        ),
        Panel(
            "Event loop lag",
            "The longest delay of the event loop since the scrape before. "
            "Tokens are passed on late by as much.",
            "s",
            (Query('gateway_event_loop_lag_seconds{instance=~"$instance"}', "lag"),),
        ),
        Panel(
            "Gateway's own time",
            "Request read to dispatch, without the wait for a slot: what the gateway adds.",
            "s",
            _quantiles("gateway_overhead_seconds"),
        ),
        Panel(
            "Connections",
            "Open connections: clients, to the engine by state, and file descriptors in all.",
            "short",
            (
                Query('gateway_client_connections{instance=~"$instance"}', "clients"),
                Query('gateway_upstream_connections{instance=~"$instance"}', "engine, {{state}}"),
                Query('gateway_open_fds{instance=~"$instance"}', "file descriptors"),
            ),
        ),
        Panel(
            "Breaker and draining",
            "Breaker: 0 closed, 1 half open, 2 open (the engine cannot be reached). "
            "Draining: 1 while shutting down.",
            "short",
            (
                Query('gateway_breaker_state{instance=~"$instance"}', "breaker"),
                Query('gateway_draining{instance=~"$instance"}', "draining"),
            ),
            steps=True,
        ),
    )
