"""What an engine itself counted over a cell, read from its `/metrics` at both edges."""

from collections.abc import Collection

import httpx
from prometheus_client.parser import text_string_to_metric_families

from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.engine_metrics import EngineMetrics

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


def read(engine_url: str) -> str | None:
    """The engine's metrics page now; None when it has none or does not answer within five seconds."""
    try:
        response = httpx.get(f"{engine_url.rstrip('/')}/metrics", timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None


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
    """Sum over the series of each sample that is wanted, by its name; a page is not parsed for the others."""
    lines = [line for line in page.splitlines() if line.partition("{")[0].partition(" ")[0] in wanted]
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals
