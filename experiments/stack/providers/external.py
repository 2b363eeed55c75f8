"""Engines that somebody else runs: known only by what they say of themselves, never started or stopped."""

from __future__ import annotations

from experiments.observe.engine_metrics import EngineMetrics, EngineNames
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.provider import Provider
from loadtests.planning.optional_fields import AnswerLengths

NO_METRICS = EngineNames(EngineMetrics())


def label(facts: EngineFacts, title: str) -> str:
    """What the numbers made with an engine elsewhere are headed with."""
    return f"{title} {facts.known_version} (external, {facts.model})"


# By its own word, or vLLM's names where it was never asked (behind somebody else's gateway).
EXTERNAL = Provider("external", "engine", label)

OPENAI = Provider("openai", "OpenAI server", label, metrics=NO_METRICS, answer_lengths=AnswerLengths.FREE)
"""Any server of the OpenAI API (LM Studio, TensorRT-LLM, NIM, a proxy), without metrics."""
