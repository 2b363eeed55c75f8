"""Reading the sweep's Prometheus: raw samples of a cell's window, and quantiles from histograms over it."""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from experiments.errors import EnvironmentProblem

# Short name in series.parquet → PromQL of one series. Rates are over the last two seconds of a one-second
# scrape.
SERIES = {
    "gateway_active": "sum(gateway_active)",
    "gateway_active_limit": "max(gateway_active_limit)",
    "gateway_queue_depth": "sum(gateway_queue_depth)",
    "gateway_queue_limit": "max(gateway_queue_limit)",
    "offered_per_s": "sum(rate(gateway_arrived_total[3s]))",
    "ok_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome="ok"}[3s]))',
    "rejected_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome=~"rejected_.*"}[3s]))',
    "queue_timeout_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome="queue_timeout"}[3s]))',
    "engine_running": "sum(vllm:num_requests_running)",
    "engine_waiting": "sum(vllm:num_requests_waiting)",
    "engine_kv_use_ratio": "max(vllm:kv_cache_usage_perc)",
    "engine_tokens_per_s": "sum(rate(vllm:generation_tokens_total[3s]))",
    "engine_preemptions_per_s": "sum(rate(vllm:num_preemptions_total[3s]))",
    "gpu_use_ratio": "avg(DCGM_FI_DEV_GPU_UTIL) / 100",
    "gpu_clock_hz": "avg(DCGM_FI_DEV_SM_CLOCK) * 1e6",
}

# The summary's name → the gateway's histogram that starts and ends where the client's number does.
HISTOGRAMS = {
    "ttft_from_send_s": "gateway_ttft_seconds_bucket",
    "e2e_from_send_s": 'gateway_request_seconds_bucket{outcome="ok"}',
    "queue_s": 'gateway_queue_wait_seconds_bucket{outcome="ok"}',
}


# The newest scrape of whatever exports slots or running requests, one series a target, whatever its job is
# called.
_LAST_SCRAPES = "timestamp(gateway_active_limit) or timestamp(vllm:num_requests_running)"

# What the engine counts over a cell. vLLM's names; the emulator has the same.
_ENGINE_COUNTERS = {
    "request_s": "sum(vllm:e2e_request_latency_seconds_sum)",
    "requests": "sum(vllm:e2e_request_latency_seconds_count)",
    "prefix_hit_tokens": "sum(vllm:prefix_cache_hits_total)",
    "prompt_tokens": "sum(vllm:prompt_tokens_total)",
    "queue_s": "sum(vllm:request_queue_time_seconds_sum)",
    "prefill_s": "sum(vllm:request_prefill_time_seconds_sum)",
}
_NOT_EVERY_ENGINE_HAS = ("prefix_hit_tokens", "queue_s", "prefill_s")


@dataclass(frozen=True, slots=True)
class EngineGrowth:
    """What the engine's own counters grew by over a cell: sum of E2E latencies in seconds, requests,
    tokens; sums of the times in its queue and in prefill, in seconds (0 where it does not say).
    """

    request_s: float
    requests: float
    prefix_hit_tokens: float
    prompt_tokens: float
    queue_s: float = 0.0
    prefill_s: float = 0.0

    @property
    def restarted(self) -> bool:
        """A counter that went down began anew."""
        return min(self.request_s, self.requests, self.prompt_tokens) < 0


@dataclass(frozen=True, slots=True)
class BucketQuantile:
    """A quantile as a histogram knows it: interpolated, and the bucket that holds it. Seconds; None where the
    bucket is empty."""

    value: float | None
    bucket_low: float | None
    bucket_high: float | None

    def to_json(self) -> dict[str, float | None]:
        """As stored in summary.json."""
        return {"value": self.value, "bucket_low": self.bucket_low, "bucket_high": self.bucket_high}


class ServerMetrics:
    """One Prometheus.

    Raises:
        EnvironmentProblem: it cannot be reached or refuses a query.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._prometheus = PrometheusConnect(url=url, disable_ssl=False)

    def check(self) -> None:
        """Ask it something once, so that a wrong address is found before the matrix starts."""
        self._query("vector(1)", time.time())

    def wait_for_scrape(self, after_unix_s: float, deadline_s: float = 10.0) -> float:
        """Wait until gateway and engine were scraped after `after_unix_s`; the time of the earlier scrape
        (Unix).

        Returns the last scrape's time when none comes within `deadline_s`: a gap that the cell's doubts will
        name.
        """
        give_up = time.monotonic() + deadline_s
        while True:
            result = self._query(_LAST_SCRAPES, time.time())
            seen = min((float(series["value"][1]) for series in result), default=0.0)
            if seen > after_unix_s or time.monotonic() > give_up:
                return seen
            time.sleep(0.05)

    def series(self, start_unix_s: float, end_unix_s: float, step_s: float = 1.0) -> pd.DataFrame:
        """Every series of `SERIES` over the window: columns t_s (from its start), metric, value."""
        frames = []
        for name, promql in SERIES.items():
            for t_s, value in self._range(promql, start_unix_s, end_unix_s, step_s):
                frames.append((t_s - start_unix_s, name, value))
        return pd.DataFrame(frames, columns=["t_s", "metric", "value"]).astype(
            {"t_s": float, "metric": str, "value": float}
        )

    def quantiles(
        self, name: str, start_unix_s: float, end_unix_s: float
    ) -> dict[str, dict[str, float | None]]:
        """p50 and p95 of a histogram's growth between the last scrapes before the two times, as in
        summary.json."""
        before = self._buckets(HISTOGRAMS[name], start_unix_s)
        after = self._buckets(HISTOGRAMS[name], end_unix_s)
        growth = [(bound, count - before.get(bound, 0.0)) for bound, count in sorted(after.items())]
        return {f"p{q * 100:g}": bucket_quantile(growth, q).to_json() for q in (0.5, 0.95)}

    def engine_growth(self, start_unix_s: float, end_unix_s: float) -> EngineGrowth | None:
        """Growth of the engine's counters between two times; None where Prometheus does not scrape it."""
        growth: dict[str, float] = {}
        for name, promql in _ENGINE_COUNTERS.items():
            before, after = self._query(promql, start_unix_s), self._query(promql, end_unix_s)
            if name not in _NOT_EVERY_ENGINE_HAS and not (before and after):
                return None
            growth[name] = (
                float(after[0]["value"][1]) - float(before[0]["value"][1]) if before and after else 0.0
            )
        return EngineGrowth(**growth)

    def scrape_times(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When the gateway was really scraped in the window, Unix seconds."""
        window_s = max(1, math.ceil(end_unix_s - start_unix_s))
        result = self._query(f"gateway_active_limit[{window_s}s]", end_unix_s)
        return sorted(float(t) for series in result for t, _ in series["values"])

    def _buckets(self, selector: str, at_unix_s: float) -> dict[float, float]:
        result = self._query(f"sum by (le) ({selector})", at_unix_s)
        return {float(series["metric"]["le"]): float(series["value"][1]) for series in result}

    def _query(self, promql: str, at_unix_s: float) -> list[dict[str, Any]]:
        try:
            result: list[dict[str, Any]] = self._prometheus.custom_query(
                promql, params={"time": f"{at_unix_s:.3f}"}
            )
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} did not answer {promql!r}: {error}") from None
        return result

    def _range(self, promql: str, start: float, end: float, step_s: float) -> list[tuple[float, float]]:
        # The client library rounds both ends to whole seconds; rounding down would begin before the window.
        first, last = datetime.fromtimestamp(math.ceil(start), UTC), datetime.fromtimestamp(end, UTC)
        try:
            result = self._prometheus.custom_query_range(promql, first, last, f"{step_s:g}s")
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} did not answer {promql!r}: {error}") from None
        pairs = [(float(t), float(value)) for series in result for t, value in series["values"]]
        return [(t, value) for t, value in pairs if math.isfinite(value)]


def bucket_quantile(cumulative: list[tuple[float, float]], q: float) -> BucketQuantile:
    """Quantile `q` of a cumulative histogram [(upper bound, count up to it)], interpolated as Prometheus
    does."""
    total = cumulative[-1][1] if cumulative else 0.0
    if total <= 0:
        return BucketQuantile(None, None, None)
    rank = q * total
    low, below = 0.0, 0.0
    for bound, count in cumulative:
        if count >= rank and count > below:
            if math.isinf(bound):
                return BucketQuantile(None, low, None)
            return BucketQuantile(low + (bound - low) * (rank - below) / (count - below), low, bound)
        low, below = bound, count
    return BucketQuantile(None, low, None)
