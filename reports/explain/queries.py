"""What Prometheus is asked for each signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.gpu_series import GPU_SERIES
from experiments.observe.selector import Scope, Selector
from reports.explain.signal import Signal

_LEAST_S = 60
"""The shortest span of a rate: four scrapes of fifteen seconds."""
_COMPLETIONS = 'route=~"chat|completions"'


@dataclass(frozen=True, slots=True)
class _Asked:
    """Writes queries over `span`, a span of PromQL."""

    own: Selector
    span: str

    def rate(self, metric: str, *more: str) -> str:
        return f"sum(rate({self.own.of(metric, *more)}[{self.span}]))"

    def mean(self, histogram: str, *more: str) -> str:
        return f"{self.rate(f'{histogram}_sum', *more)} / {self.rate(f'{histogram}_count', *more)}"

    def p95(self, histogram: str, *more: str) -> str:
        buckets = self.own.of(f"{histogram}_bucket", *more)
        return f"histogram_quantile(0.95, sum by (le) (rate({buckets}[{self.span}])))"

    def over(self, how: str, metric: str, across: str = "max") -> str:
        return f"{across}({how}_over_time({self.own.of(metric)}[{self.span}]))"


def span_of(bin_s: float) -> str:
    """Of the rates, for bins of so many seconds."""
    return f"{max(_LEAST_S, round(bin_s))}s"


def in_place_of_rows(scope: Scope, bin_s: float) -> Mapping[Signal, str]:
    """What the gateway's metrics tell where there is no recording."""
    ask = _Asked(scope.gateway, span_of(bin_s))
    ended = "gateway_requests_total"
    every = ask.rate(ended, _COMPLETIONS)

    def share(outcomes: str) -> str:
        some = ask.rate(ended, _COMPLETIONS, f'outcome=~"{outcomes}"')
        return f"({some} or vector(0)) / {every}"

    served = ask.rate(ended, _COMPLETIONS, 'outcome="ok"')
    prompts, answers = (
        ask.rate("gateway_tokens_total", f'kind="{kind}"') for kind in ("prompt", "completion")
    )
    return {
        Signal.OFFERED: ask.rate("gateway_arrived_total"),
        Signal.LEFT: share("client_abort"),
        Signal.REFUSED: share("rejected_full|rejected_mode|over_budget"),
        Signal.TIMED_OUT: share("queue_timeout"),
        Signal.FAILED: share("upstream_.+|internal|draining"),
        Signal.QUEUE: ask.mean("gateway_queue_wait_seconds"),
        Signal.QUEUE_P95: ask.p95("gateway_queue_wait_seconds", 'outcome="ok"'),
        Signal.TTFT_P95: ask.p95("gateway_ttft_seconds"),
        Signal.PREFILL: ask.mean("gateway_upstream_ttft_seconds"),
        Signal.TPOT: ask.mean("gateway_inter_token_seconds"),
        Signal.E2E_P95: ask.p95("gateway_request_seconds", 'outcome="ok"'),
        Signal.PROMPT: f"{prompts} / {served}",
        Signal.PROMPT_RATE: prompts,
        Signal.OUTPUT: f"{answers} / {served}",
        Signal.RUNNING: ask.rate("gateway_active_seconds_total"),
        Signal.LIMITS_VERSION: ask.over("max", "gateway_limits_version"),
    }


def of_gateway(scope: Scope, bin_s: float) -> Mapping[Signal, str]:
    """What only the gateway's metrics tell."""
    ask = _Asked(scope.gateway, span_of(bin_s))
    return {
        Signal.ACTIVE_LIMIT: ask.over("min", "gateway_active_limit", "min"),
        Signal.QUEUE_LIMIT: ask.over("min", "gateway_queue_limit", "min"),
        Signal.QUEUE_FULL: ask.rate("gateway_queue_full_seconds_total"),
        Signal.LOOP_LAG: ask.over("avg", "gateway_event_loop_lag_seconds"),
        Signal.OVERHEAD: ask.mean("gateway_overhead_seconds"),
    }


def engine_up(engine: str, scope: Scope, bin_s: float) -> str:
    """Scrapes of the engine, whose metric that is, for each scrape of the gateway: a page that is away leaves
    no sample."""
    assert scope.engine is not None
    count = f"sum(count_over_time({scope.engine.of(engine)}[{span_of(bin_s)}]))"
    of = f"sum(count_over_time({scope.gateway.of('gateway_active_limit')}[{span_of(bin_s)}]))"
    return f"({count} or vector(0)) / {of}"


def of_engine(engine: EngineMetrics, own: Selector, bin_s: float) -> Mapping[Signal, str]:
    """What the engine's metrics tell, as far as it has them."""
    ask = _Asked(own, span_of(bin_s))
    found: dict[Signal, str] = {}
    if engine.waiting:
        found[Signal.ENGINE_WAITING] = ask.over("avg", engine.waiting, "sum")
    if engine.kv_use_ratio:
        found[Signal.KV_USE] = ask.over("avg", engine.kv_use_ratio)
    if engine.preemptions:
        found[Signal.PREEMPTIONS] = ask.rate(engine.preemptions)
    if engine.prefix_hit_tokens and engine.prompt_tokens:
        found[Signal.CACHE_HITS] = f"{ask.rate(engine.prefix_hit_tokens)} / {ask.rate(engine.prompt_tokens)}"
    if engine.gap_s:
        found[Signal.ENGINE_GAP] = ask.mean(engine.gap_s)
    if engine.ttft_s:
        found[Signal.ENGINE_TTFT] = ask.mean(engine.ttft_s)
    counter = engine.output_tokens or engine.prompt_tokens
    if counter:
        found[Signal.ENGINE_RESETS] = f"sum(resets({own.of(counter)}[{ask.span}]))"
    return found


def of_gpu(own: Selector, bin_s: float) -> Mapping[Signal, str]:
    """What dcgm-exporter tells, averaged over the bin."""
    span = span_of(bin_s)
    names = ("gpu_use_ratio", "gpu_clock_hz", "gpu_memory_used_bytes", "gpu_thermal_slowdown")
    return {
        Signal(name): f"avg_over_time(({own.within(GPU_SERIES[name])})[{span}:15s])"
        for name in (*names, "gpu_power_brake", "gpu_power_cap")
    }
