"""What an engine itself counted over a cell, read from its `/metrics` at both edges."""

import math
import time
from collections.abc import Collection, Iterator

import httpx

from experiments.observe import metrics_page
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.metrics_page import NotMetricsError
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint

TIMEOUT_S = 5.0
"""For a whole page."""

NEEDED = ("request_s", "requests", "prompt_tokens")
"""Fields of `EngineGrowth` without which there is no account; not every engine has the others."""


def samples_of(metrics: EngineMetrics) -> dict[str, str]:
    """Field of `EngineGrowth` → name of its sample; those that the engine does not have are left out."""
    samples = {
        "request_s": metrics.e2e_s and f"{metrics.e2e_s}_sum",
        "requests": metrics.e2e_s and f"{metrics.e2e_s}_count",
        "prefix_hit_tokens": metrics.prefix_hit_tokens,
        "prompt_tokens": metrics.prompt_tokens,
        "queue_s": metrics.queue_s and f"{metrics.queue_s}_sum",
        "prefill_s": metrics.prefill_s and f"{metrics.prefill_s}_sum",
        "preemptions": metrics.preemptions,
    }
    return {field: sample for field, sample in samples.items() if sample is not None}


def read(engine: Endpoint) -> str | None:
    """The engine's metrics page now; None when it has none or does not answer within five seconds."""
    try:
        return page(engine)
    except NotMetricsError:
        return None


def page(engine: Endpoint) -> str:
    """The engine's metrics page now.

    Raises:
        NotMetricsError: what is answered within five seconds is none; the message says what it is instead.
    """
    try:
        with (
            http_client.client(engine, TIMEOUT_S) as http,
            http.stream("GET", "/metrics") as response,
        ):
            return metrics_page.text_of(response.status_code, _in_time(response.iter_bytes()))
    except httpx.HTTPError as error:
        raise NotMetricsError(f"cannot be read ({why.unreachable(error, engine)})") from None


def growth(before: str, after: str, metrics: EngineMetrics) -> EngineGrowth | None:
    """Growth between two pages; None where the engine does not count requests and their times."""
    samples = samples_of(metrics)
    wanted = set(samples.values())
    first, last = sums(before, wanted), sums(after, wanted)
    # A sample may come to the page with the first request.
    grown = {
        field: last[sample] - first.get(sample, 0.0) for field, sample in samples.items() if sample in last
    }
    return EngineGrowth(**grown) if grown.keys() >= set(NEEDED) else None


def sums(page: str, wanted: Collection[str]) -> dict[str, float]:
    """Sum over the series of each sample that is wanted, by its name; a page is not parsed for the others.

    A name with a value that is no finite number is left out: what is not known is not told.
    """
    lines = [line for line in page.split("\n") if metrics_page.name_of(line) in wanted]
    totals: dict[str, float] = {}
    for sample in metrics_page.samples("\n".join(lines)):
        totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return {name: total for name, total in totals.items() if math.isfinite(total)}


def _in_time(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A page that trickles is given up: httpx bounds each read, not all of them together."""
    give_up_s = time.monotonic() + TIMEOUT_S
    for chunk in chunks:
        if time.monotonic() > give_up_s:
            raise NotMetricsError(f"does not end within {TIMEOUT_S:g} s")
        yield chunk
