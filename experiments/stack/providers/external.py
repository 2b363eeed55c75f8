"""An engine that somebody else runs: known only by what it says of itself, and never started or stopped."""

from __future__ import annotations

from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.provider import Provider


def _label(facts: EngineFacts, title: str) -> str:
    return f"{title} {facts.known_version} (external, {facts.model})"


EXTERNAL = Provider("external", "engine", _label)
