"""Reading the sweep's Prometheus: raw samples of a cell's window, and quantiles from histograms over it."""

import math
import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from experiments.errors import EnvironmentProblem
from experiments.observe.engine_counters import COUNTERS, NOT_EVERY_ENGINE_HAS
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.gpu_series import GPU_SERIES
from experiments.stats.bucket_quantile import BucketQuantile, bucket_quantile

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
    **GPU_SERIES,
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
            time.sleep(0.1)

    def series(self, start_unix_s: float, end_unix_s: float, step_s: float = 1.0) -> pd.DataFrame:
        """Every series of `SERIES` over the window: columns t_s (from its start), metric, value.

        They begin when everything was scraped once inside the window: what Prometheus answers for an
        earlier time was seen before it.
        """
        frames = []
        seen_unix_s = max(self._first_scrapes(start_unix_s, end_unix_s), default=start_unix_s)
        for name, promql in SERIES.items():
            for t_s, value in self._range(promql, seen_unix_s, end_unix_s, step_s):
                frames.append((t_s - start_unix_s, name, value))
        return pd.DataFrame(frames, columns=["t_s", "metric", "value"]).astype(
            {"t_s": float, "metric": str, "value": float}
        )

    def quantiles(
        self, name: str, start_unix_s: float, end_unix_s: float
    ) -> tuple[BucketQuantile, BucketQuantile]:
        """p50 and p95 of a histogram's growth between two scrapes, named by their times."""
        before = self._buckets(HISTOGRAMS[name], start_unix_s)
        after = self._buckets(HISTOGRAMS[name], end_unix_s)
        growth = [(bound, count - before.get(bound, 0.0)) for bound, count in sorted(after.items())]
        return bucket_quantile(growth, 0.5), bucket_quantile(growth, 0.95)

    def engine_growth(self, start_unix_s: float, end_unix_s: float) -> EngineGrowth | None:
        """Growth of the engine's counters between two times; None where Prometheus does not scrape it."""
        growth: dict[str, float] = {}
        for name, sample in COUNTERS.items():
            promql = f"sum({sample})"
            before, after = self._query(promql, start_unix_s), self._query(promql, end_unix_s)
            if name not in NOT_EVERY_ENGINE_HAS and not (before and after):
                return None
            growth[name] = (
                float(after[0]["value"][1]) - float(before[0]["value"][1]) if before and after else 0.0
            )
        return EngineGrowth(**growth)

    def scrape_times(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When the gateway was really scraped in the window, Unix seconds."""
        series = self._scrapes("gateway_active_limit", start_unix_s, end_unix_s)
        return sorted(t for times in series for t in times)

    def _first_scrapes(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When gateway and engine were first scraped in the window, Unix seconds."""
        series = self._scrapes(
            '{__name__=~"gateway_active_limit|vllm:num_requests_running"}', start_unix_s, end_unix_s
        )
        return [min(times) for times in series if times]

    def _scrapes(self, selector: str, start_unix_s: float, end_unix_s: float) -> list[list[float]]:
        """The times of the samples of each series, Unix seconds."""
        window_s = max(1, math.ceil(end_unix_s - start_unix_s))
        result = self._query(f"{selector}[{window_s}s]", end_unix_s)
        times = [[float(t) for t, _ in series["values"]] for series in result]
        return [[t for t in one if t >= start_unix_s] for one in times]

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
