"""The engines that this project knows, by name and by what a running one says of itself."""

from __future__ import annotations

from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL, OPENAI
from experiments.stack.providers.llamacpp import LLAMACPP
from experiments.stack.providers.ollama import OLLAMA
from experiments.stack.providers.provider import Provider
from experiments.stack.providers.sglang import SGLANG
from experiments.stack.providers.tgi import TGI
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU

PROVIDERS = (VLLM, VLLM_CPU, EMULATOR, EXTERNAL, SGLANG, LLAMACPP, TGI, OLLAMA, OPENAI)

AUTO = "auto"
"""What this machine has: `engine.choose` says which."""

COMPOSE = "compose"
"""Gateway and engine of the compose stack, whatever its engine is; only sweeps take it."""

ELSEWHERE = tuple(row.name for row in PROVIDERS if row.launch is None and row is not EXTERNAL)
"""Rows that an engine behind a URL can be taken for."""

CHOICES = (AUTO, *(provider.name for provider in PROVIDERS))
SWEEP_CHOICES = (*CHOICES, COMPOSE)


def named(name: str) -> Provider:
    """The row called `name`.

    Raises:
        KeyError: there is none; `AUTO` and `COMPOSE` are no rows.
    """
    return {provider.name: provider for provider in PROVIDERS}[name]


def recognised(facts: EngineFacts) -> Provider | None:
    """The row of a running engine, by what it says of itself; None where it is of no known kind."""
    # The emulator first: it says that it is a vLLM, and by its version that it is not.
    rows = (EMULATOR, *PROVIDERS)
    return next((row for row in rows if row.recognises is not None and row.recognises(facts)), None)


def label_of(provider: Provider, facts: EngineFacts) -> str:
    """What a report is headed with, such as `vLLM 0.32.0 (CPU, tiny-8x768, random weights)`; an emulator is
    called one, whatever the user called it."""
    kind = recognised(facts)
    if kind is EMULATOR:
        return EMULATOR.label(facts, EMULATOR.title)
    title = provider.title if provider is not EXTERNAL else _title(kind, facts)
    return provider.label(facts, title)


def account_of(provider: Provider, facts: EngineFacts) -> str:
    """What an engine that runs elsewhere was taken for, and what of it stays unknown, in a sentence."""
    row = recognised(facts) if provider is EXTERNAL else provider
    if row is None:
        owner = f" (its models are owned by {facts.engine_kind!r})" if facts.engine_kind else ""
        said = f"it is of no known kind{owner}, and read as any OpenAI server; --engine NAME tells what it is"
    else:
        said = f"taken for {row.title} ({facts.recognised_by})"
    if facts.metrics_page and facts.metric_names:
        return f"{said}; it does not report: {', '.join(facts.untold)}" if facts.untold else said
    instead = f" (its /metrics {facts.no_metrics})" if facts.no_metrics else ""
    hint = f": {row.metrics_hint}" if row is not None and row.metrics_hint else ""
    return (
        f"{said}; without metrics of it{hint}, its batch, queue and KV cache stay unknown, and saturation is "
        f"judged by the gateway's slots and the records{instead}"
    )


def can_start(name: str) -> bool:
    """Whether a sweep that was given `--engine NAME` starts the engine itself."""
    return name == AUTO or (name != COMPOSE and named(name).launch is not None)


def assumed_start_s(name: str) -> float:
    """Seconds until the engine of `--engine NAME` is ready and warm, for a dry run; `auto` is taken for the
    tiny model on the CPU."""
    return VLLM_CPU.assumed_start_s if name in (AUTO, COMPOSE) else named(name).assumed_start_s


def _title(kind: Provider | None, facts: EngineFacts) -> str:
    return kind.title if kind is not None else facts.engine_kind or EXTERNAL.title
