"""Reading the sweep's Prometheus: raw samples of a cell's window, and quantiles from histograms over it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from experiments.errors import EnvironmentProblem
from experiments.observe import engine_counters, engine_metrics
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.gpu_series import GPU_SERIES
from experiments.stats.bucket_quantile import BucketQuantile, bucket_quantile

# Short name in series.parquet → PromQL of one series. Rates are over the last two seconds of a one-second
# scrape.
_SERIES = {
    "gateway_active": "sum(gateway_active)",
    "gateway_active_limit": "max(gateway_active_limit)",
    "gateway_queue_depth": "sum(gateway_queue_depth)",
    "gateway_queue_limit": "max(gateway_queue_limit)",
    "offered_per_s": "sum(rate(gateway_arrived_total[3s]))",
    "ok_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome="ok"}[3s]))',
    "rejected_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome=~"rejected_.*"}[3s]))',
    "queue_timeout_per_s": 'sum(rate(gateway_requests_total{route="chat",outcome="queue_timeout"}[3s]))',
    **GPU_SERIES,
}

# The summary's name → the gateway's histogram that starts and ends where the client's number does.
HISTOGRAMS = {
    "ttft_from_send_s": "gateway_ttft_seconds_bucket",
    "e2e_from_send_s": 'gateway_request_seconds_bucket{outcome="ok"}',
    "queue_s": 'gateway_queue_wait_seconds_bucket{outcome="ok"}',
}

# What every scrape of a gateway has; an engine's has its running requests. So a target is known whatever its
# job is called.
_OF_GATEWAY = "gateway_active_limit"


def series_of(engine: EngineMetrics) -> dict[str, str]:
    """Short name in series.parquet → PromQL of one series, for an engine with these metrics; what it does not
    have is left out."""
    named = {
        "engine_running": ("sum({})", engine.running),
        "engine_waiting": ("sum({})", engine.waiting),
        "engine_kv_use_ratio": ("max({})", engine.kv_use_ratio),
        "engine_tokens_per_s": ("sum(rate({}[3s]))", engine.output_tokens),
        "engine_preemptions_per_s": ("sum(rate({}[3s]))", engine.preemptions),
    }
    return _SERIES | {name: promql.format(of) for name, (promql, of) in named.items() if of is not None}


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of an answer: its labels, and (Unix seconds, value) of each of its samples."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """That of the only sample of an instant query."""
        return self.points[-1][1]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> _Series:
        """From Prometheus's JSON: `value` of an instant query, `values` of a range."""
        samples = answer["values"] if "values" in answer else [answer["value"]]
        return cls(answer["metric"], tuple((float(t), float(value)) for t, value in samples))


class ServerMetrics:
    """One Prometheus, which scrapes a gateway and an engine that calls its metrics as `engine` says.

    Raises:
        EnvironmentProblem: it cannot be reached or refuses a query.
    """

    def __init__(self, url: str, engine: EngineMetrics = engine_metrics.VLLM) -> None:
        self.url = url
        self.engine = engine
        self._prometheus = PrometheusConnect(url=url, disable_ssl=False)

    def check(self) -> None:
        """Ask it something once, so that a wrong address is found before the matrix starts."""
        self._query("vector(1)", time.time())

    def wait_for_scrape(self, after_unix_s: float, deadline_s: float = 10.0) -> float:
        """Wait until gateway and engine were scraped after `after_unix_s`; the time of
        the earlier scrape (Unix).

        Returns the last scrape's time when none comes within `deadline_s`: a gap that the
        cell's doubts will name.
        """
        give_up = time.monotonic() + deadline_s
        while True:
            newest = " or ".join(f"timestamp({name})" for name in self._of_targets())
            targets = self._query(newest, time.time())
            earlier_s = min((target.value for target in targets), default=0.0)
            if earlier_s > after_unix_s or time.monotonic() > give_up:
                return earlier_s
            time.sleep(0.1)

    def series(self, start_unix_s: float, end_unix_s: float, step_s: float = 1.0) -> pd.DataFrame:
        """Every series of `series_of` over the window: columns t_s (from its start), metric, value.

        They begin when everything was scraped once inside the window: what Prometheus answers for an
        earlier time was scraped before it.
        """
        frames = []
        first_unix_s = max(self._first_scrapes(start_unix_s, end_unix_s), default=start_unix_s)
        for name, promql in series_of(self.engine).items():
            for t_s, value in self._range(promql, first_unix_s, end_unix_s, step_s):
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
        for field, sample in engine_counters.samples_of(self.engine).items():
            promql = f"sum({sample})"
            before, after = self._query(promql, start_unix_s), self._query(promql, end_unix_s)
            # A sample may come to the engine's page with the first of what it counts.
            if after and (before or field not in engine_counters.NEEDED):
                growth[field] = after[0].value - (before[0].value if before else 0.0)
        return EngineGrowth(**growth) if growth.keys() >= set(engine_counters.NEEDED) else None

    def scrape_times(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When the gateway was really scraped in the window, Unix seconds."""
        return sorted(t for times in self._scrapes(_OF_GATEWAY, start_unix_s, end_unix_s) for t in times)

    def _first_scrapes(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When gateway and engine were first scraped in the window, Unix seconds."""
        either = f'{{__name__=~"{"|".join(self._of_targets())}"}}'
        return [min(times) for times in self._scrapes(either, start_unix_s, end_unix_s) if times]

    def _of_targets(self) -> tuple[str, ...]:
        """What every scrape of the gateway and of the engine has; an engine may have no metrics."""
        return (_OF_GATEWAY,) if self.engine.running is None else (_OF_GATEWAY, self.engine.running)

    def _scrapes(self, selector: str, start_unix_s: float, end_unix_s: float) -> list[list[float]]:
        """The times of the samples of each series, Unix seconds."""
        window_s = max(1, math.ceil(end_unix_s - start_unix_s))
        answer = self._query(f"{selector}[{window_s}s]", end_unix_s)
        return [[t for t, _ in series.points if t >= start_unix_s] for series in answer]

    def _buckets(self, selector: str, at_unix_s: float) -> dict[float, float]:
        answer = self._query(f"sum by (le) ({selector})", at_unix_s)
        return {float(series.labels["le"]): series.value for series in answer}

    def _query(self, promql: str, at_unix_s: float) -> list[_Series]:
        try:
            answer = self._prometheus.custom_query(promql, params={"time": f"{at_unix_s:.3f}"})
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} did not answer {promql!r}: {error}") from None
        return [_Series.of(series) for series in answer]

    def _range(self, promql: str, start: float, end: float, step_s: float) -> list[tuple[float, float]]:
        # The client library rounds both ends to the nearest second, which may lie outside of the window.
        first = datetime.fromtimestamp(math.ceil(start), UTC)
        last = datetime.fromtimestamp(math.floor(end), UTC)
        if last < first:
            return []
        try:
            answer = self._prometheus.custom_query_range(promql, first, last, f"{step_s:g}s")
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} did not answer {promql!r}: {error}") from None
        points = (point for series in answer for point in _Series.of(series).points)
        return [(t, value) for t, value in points if math.isfinite(value)]
