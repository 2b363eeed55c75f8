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
from experiments.observe import clients, engine_counters, engine_metrics
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.gpu_series import GPU_SERIES
from experiments.observe.selector import EVERYTHING, Scope, Selector
from experiments.stats.bucket_quantile import BucketQuantile, bucket_quantile
from loadtests.reach.endpoint import Endpoint

# The summary's name → the gateway's histogram that starts and ends where the client's number does, with the
# matchers of the series that are meant.
HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "ttft_from_send_s": ("gateway_ttft_seconds_bucket",),
    "e2e_from_send_s": ("gateway_request_seconds_bucket", 'outcome="ok"'),
    "queue_s": ("gateway_queue_wait_seconds_bucket", 'outcome="ok"'),
}

# What every scrape of a gateway has; an engine's has its running requests. So a target is known whatever its
# job is called.
OF_GATEWAY = "gateway_active_limit"

_MISWORDED = (400, 422)
"""How Prometheus, and what speaks its language, answer a query that they cannot read."""

_ALWAYS = (
    *("gateway_active", "gateway_active_limit", "gateway_queue_depth", "gateway_queue_limit"),
    "offered_per_s",
)
"""Series of the gateway that have samples in every cell; the others begin with their first event."""


def _of_gateway(own: Selector) -> dict[str, str]:
    """Short name in series.parquet → PromQL of one series. Rates are over the last two seconds of a
    one-second scrape."""
    ended, chat = "gateway_requests_total", 'route="chat"'
    return {
        "gateway_active": f"sum({own.of('gateway_active')})",
        "gateway_active_limit": f"max({own.of('gateway_active_limit')})",
        "gateway_queue_depth": f"sum({own.of('gateway_queue_depth')})",
        "gateway_queue_limit": f"max({own.of('gateway_queue_limit')})",
        "offered_per_s": f"sum(rate({own.of('gateway_arrived_total')}[3s]))",
        **{
            name: f"sum(rate({own.of(ended, chat, outcome)}[3s]))"
            for name, outcome in (
                ("ok_per_s", 'outcome="ok"'),
                ("rejected_per_s", 'outcome=~"rejected_.*"'),
                ("queue_timeout_per_s", 'outcome="queue_timeout"'),
            )
        },
    }


def _of_engine(engine: EngineMetrics, own: Selector) -> dict[str, str]:
    """The same of an engine with these metrics; what it does not have is left out."""
    named = {
        "engine_running": ("sum({})", engine.running),
        "engine_waiting": ("sum({})", engine.waiting),
        "engine_kv_use_ratio": ("max({})", engine.kv_use_ratio),
        "engine_tokens_per_s": ("sum(rate({}[3s]))", engine.output_tokens),
        "engine_preemptions_per_s": ("sum(rate({}[3s]))", engine.preemptions),
    }
    return {name: promql.format(own.of(of)) for name, (promql, of) in named.items() if of is not None}


def series_of(engine: EngineMetrics, scope: Scope = EVERYTHING) -> dict[str, str]:
    """Short name in series.parquet → PromQL of one series, for an engine with these metrics: of nothing but
    what is in `scope`."""
    found = _of_gateway(scope.gateway)
    if scope.gpu is not None:
        found |= {name: scope.gpu.within(promql) for name, promql in GPU_SERIES.items()}
    return found | (_of_engine(engine, scope.engine) if scope.engine is not None else {})


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and (Unix seconds, value) of each of its samples."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """That of the only sample of an instant query."""
        return self.points[-1][1]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Series:
        """From Prometheus's JSON: `value` of an instant query, `values` of a range."""
        samples = answer["values"] if "values" in answer else [answer["value"]]
        return cls(answer["metric"], tuple((float(t), float(value)) for t, value in samples))


class ServerMetrics:
    """One Prometheus, of which `scope` is asked: a gateway, and an engine that calls its metrics as `engine`
    says.

    Raises:
        EnvironmentProblem: it cannot be reached or refuses a query.
    """

    def __init__(
        self, url: str | Endpoint, engine: EngineMetrics = engine_metrics.VLLM, scope: Scope = EVERYTHING
    ) -> None:
        endpoint = url if isinstance(url, Endpoint) else Endpoint.parse(url)
        self.url = endpoint.url
        self.engine = engine
        self.scope = scope
        self._session = clients.session(endpoint)
        self._prometheus = PrometheusConnect(url=self.url, session=self._session)

    @property
    def expected(self) -> tuple[str, ...]:
        """Names of the series that every cell has samples of."""
        own = self.scope.engine
        return (*_ALWAYS, *(_of_engine(self.engine, own) if own is not None else ()))

    def check(self) -> None:
        """Ask it something once, so that a wrong address is found before the matrix starts."""
        self.query("vector(1)", time.time())

    def refusal(self, promql: str) -> str | None:
        """What it finds wrong with the words of an instant query; None: nothing."""
        try:
            answer = self._session.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=10)
            if answer.status_code not in _MISWORDED:
                return None
            error = str(answer.json()["error"])
        except (requests.RequestException, ValueError, KeyError) as problem:
            raise EnvironmentProblem(
                f"Prometheus at {self.url} did not answer {promql!r}: {problem}"
            ) from None
        return error.rpartition("parse error: ")[2]

    def wait_for_scrape(self, after_unix_s: float, deadline_s: float = 10.0) -> float:
        """Wait until gateway and engine were scraped after `after_unix_s`; the time of
        the earlier scrape (Unix).

        Returns the last scrape's time when none comes within `deadline_s`: a gap that the
        cell's doubts will name.
        """
        give_up = time.monotonic() + deadline_s
        newest = " or ".join(f"timestamp({selector})" for selector in self._scraped)
        while True:
            targets = self.query(newest, time.time())
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
        for name, promql in series_of(self.engine, self.scope).items():
            for t_s, value in self._range(promql, first_unix_s, end_unix_s, step_s):
                frames.append((t_s - start_unix_s, name, value))
        return pd.DataFrame(frames, columns=["t_s", "metric", "value"]).astype(
            {"t_s": float, "metric": str, "value": float}
        )

    def quantiles(
        self, name: str, start_unix_s: float, end_unix_s: float
    ) -> tuple[BucketQuantile, BucketQuantile]:
        """p50 and p95 of a histogram's growth between two scrapes, named by their times."""
        before = self._buckets(name, start_unix_s)
        after = self._buckets(name, end_unix_s)
        growth = [(bound, count - before.get(bound, 0.0)) for bound, count in sorted(after.items())]
        return bucket_quantile(growth, 0.5), bucket_quantile(growth, 0.95)

    def engine_growth(self, start_unix_s: float, end_unix_s: float) -> EngineGrowth | None:
        """Growth of the engine's counters between two times; None where Prometheus does not scrape it."""
        growth: dict[str, float] = {}
        if self.scope.engine is None:
            return None
        for field, sample in engine_counters.samples_of(self.engine).items():
            promql = f"sum({self.scope.engine.of(sample)})"
            before, after = self.query(promql, start_unix_s), self.query(promql, end_unix_s)
            # A sample may come to the engine's page with the first of what it counts.
            if after and (before or field not in engine_counters.NEEDED):
                growth[field] = after[0].value - (before[0].value if before else 0.0)
        return EngineGrowth(**growth) if growth.keys() >= set(engine_counters.NEEDED) else None

    def scrape_times(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When the gateway was really scraped in the window, Unix seconds."""
        own = self.scope.gateway.of(OF_GATEWAY)
        return sorted(t for times in self._scrapes(own, start_unix_s, end_unix_s) for t in times)

    def query(self, promql: str, at_unix_s: float) -> list[Series]:
        """The answer to an instant query as it stands: whoever asks it narrows it to a scope."""
        try:
            answer = self._prometheus.custom_query(promql, params={"time": f"{at_unix_s:.3f}"})
        except (PrometheusApiClientException, requests.RequestException) as error:
            raise EnvironmentProblem(f"Prometheus at {self.url} did not answer {promql!r}: {error}") from None
        return [Series.of(series) for series in answer]

    def points(
        self, promql: str, start_unix_s: float, end_unix_s: float, step_s: float
    ) -> list[tuple[float, float]]:
        """(Unix seconds, value) of a range query's series, as it stands; what is not finite is left out."""
        return self._range(promql, start_unix_s, end_unix_s, step_s)

    @property
    def _scraped(self) -> tuple[str, ...]:
        """What tells that gateway and engine were scraped."""
        engine = self.scope.engine
        running = () if engine is None else map(engine.of, filter(None, (self.engine.running,)))
        return (self.scope.gateway.of(OF_GATEWAY), *running)

    def _first_scrapes(self, start_unix_s: float, end_unix_s: float) -> list[float]:
        """When gateway and engine were first scraped in the window, Unix seconds."""
        scrapes = (self._scrapes(selector, start_unix_s, end_unix_s) for selector in self._scraped)
        return [min(times) for found in scrapes for times in found if times]

    def _scrapes(self, selector: str, start_unix_s: float, end_unix_s: float) -> list[list[float]]:
        """The times of the samples of each series, Unix seconds."""
        window_s = max(1, math.ceil(end_unix_s - start_unix_s))
        answer = self.query(f"{selector}[{window_s}s]", end_unix_s)
        return [[t for t, _ in series.points if t >= start_unix_s] for series in answer]

    def _buckets(self, histogram: str, at_unix_s: float) -> dict[float, float]:
        own = self.scope.gateway.of(*HISTOGRAMS[histogram])
        answer = self.query(f"sum by (le) ({own})", at_unix_s)
        return {float(series.labels["le"]): series.value for series in answer}

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
        points = (point for series in answer for point in Series.of(series).points)
        return [(t, value) for t, value in points if math.isfinite(value)]
