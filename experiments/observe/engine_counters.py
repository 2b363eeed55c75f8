"""What an engine itself counted over a cell, read from its `/metrics` at both edges."""

from collections.abc import Collection
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from experiments.observe.engine_metrics import EngineMetrics

NEEDED = ("request_s", "requests", "prompt_tokens")
"""Fields of `EngineGrowth` without which there is no account; not every engine has the others."""


def samples_of(metrics: EngineMetrics) -> dict[str, str]:
    """Field of `EngineGrowth` → name of its sample; those that the engine does not have are left out."""
    samples = {
        "request_s": f"{metrics.e2e_s}_sum",
        "requests": f"{metrics.e2e_s}_count",
        "prefix_hit_tokens": metrics.prefix_hit_tokens,
        "prompt_tokens": metrics.prompt_tokens,
        "queue_s": metrics.queue_s and f"{metrics.queue_s}_sum",
        "prefill_s": metrics.prefill_s and f"{metrics.prefill_s}_sum",
    }
    return {field: sample for field, sample in samples.items() if sample is not None}


@dataclass(frozen=True, slots=True)
class EngineGrowth:
    """What the engine's own counters grew by over a cell: sum of E2E latencies in seconds, requests,
    tokens; sums of the times in its queue and in prefill, in seconds (0 where it does not say).
    """

    request_s: float
    requests: float
    prompt_tokens: float
    prefix_hit_tokens: float = 0.0
    queue_s: float = 0.0
    prefill_s: float = 0.0

    @property
    def restarted(self) -> bool:
        """A counter that went down began anew."""
        return min(self.request_s, self.requests, self.prompt_tokens) < 0


def read(engine_url: str) -> str | None:
    """The engine's metrics page now; None when it has none or does not answer within five seconds."""
    try:
        response = httpx.get(f"{engine_url.rstrip('/')}/metrics", timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None


def growth(before: str, after: str, metrics: EngineMetrics) -> EngineGrowth | None:
    """Growth between two pages; None where the engine does not count requests."""
    samples = samples_of(metrics)
    wanted = set(samples.values())
    first, last = sums(before, wanted), sums(after, wanted)
    if any(samples[field] not in last for field in NEEDED):
        return None
    grown = {field: last.get(sample, 0.0) - first.get(sample, 0.0) for field, sample in samples.items()}
    return EngineGrowth(**grown)


def sums(page: str, wanted: Collection[str]) -> dict[str, float]:
    """Sum over the series of each sample that is wanted, by its name; a page is not parsed for the others."""
    lines = [line for line in page.splitlines() if line.partition("{")[0].partition(" ")[0] in wanted]
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals
