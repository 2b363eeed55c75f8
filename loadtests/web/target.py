"""What the target says of itself before anything is sent: its models, and the gateway's limits in force."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.reach.control import Control
from loadtests.recording import scrape
from loadtests.recording.load_run import LimitsSeen
from loadtests.settings import Settings

_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """model: the one that requests will name, "" where none can be known. limits: None against a bare engine.
    active, waiting: in the gateway now."""

    url: str
    model: str
    models: Sequence[str]
    limits: LimitsSeen | None
    active: float | None
    waiting: float | None


def ask(settings: Settings) -> TargetFacts:
    """Raises UnreachableError in one sentence."""
    with contextlib.closing(Control(settings.target, _TIMEOUT_S)) as control:
        _, answer = control.ask("GET", "/v1/models")
    listed = answer.get("data") if isinstance(answer, dict) else None
    models = [str(m["id"]) for m in listed or [] if isinstance(m, dict) and "id" in m]
    wanted = scrape.LIMITS | scrape.GATEWAY
    with contextlib.closing(scrape.Page(settings.gateway_metrics, wanted)) as page:
        gauges = page.read()
    return TargetFacts(
        url=settings.target.url,
        model=settings.model or (models[0] if models else ""),
        models=models,
        limits=LimitsSeen.of(gauges),
        active=gauges.get("gateway_active"),
        waiting=gauges.get("gateway_queue"),
    )
