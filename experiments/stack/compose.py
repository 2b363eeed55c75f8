"""The compose stack of this machine as a sweep uses it: addresses and secrets from its `.env`,
facts from its engine.

Nothing is started or stopped here: the stack is somebody's service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine_asked
from experiments.stack.compose_env import PORTS, address, read_env
from experiments.stack.engine import Engine, usable_gpu
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.ports import answers
from experiments.stack.prometheus import Prometheus, await_scrapes
from experiments.stack.providers import known, recognising
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.provider import Provider
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU
from loadtests.reach.endpoint import Endpoint

# Where the image of the cpu profile keeps its random-weight model: nothing else says what it serves.
_TINY_MODEL = "/opt/tiny"
# Largest batch by engine: the variable of compose.yaml that sets it, and its default there.
_MAX_NUM_SEQS = {VLLM.name: ("MAX_NUM_SEQS", "32"), VLLM_CPU.name: ("CPU_MAX_NUM_SEQS", "16")}


@dataclass(frozen=True, slots=True)
class ComposeStack:
    """Where the stack's services are published, and what it takes to use them.

    Attributes:
        settings: variables of `.env`, those of our own environment over it, as compose itself has it.
        admin_token, api_key, grafana_password: None where the stack has none.
        engine_key: what its engine wants; empty: nothing.
    """

    gateway_url: str
    engine_url: str
    prometheus_url: str
    grafana_url: str
    admin_token: str | None = field(repr=False)
    api_key: str | None = field(repr=False)
    engine_key: str = field(repr=False)
    grafana_password: str | None = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)


def find(env_file: Path, environment: Mapping[str, str] | None = None) -> ComposeStack:
    """The stack that `env_file` describes; whether it runs is not looked at.

    The gateway's own settings (token, keys) are the file's alone: its container sees nothing else.

    Raises:
        UserError: the file is not there or a port in it is no number.
    """
    own = os.environ if environment is None else environment
    try:
        of_file = read_env(env_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--engine compose reads {env_file}, and that cannot be read ({error.strerror}): `make up` "
            "writes compose/.env and starts the stack, --compose-env names another file"
        ) from None
    settings = of_file | {name: value for name, value in own.items() if value}
    urls = {name: address(settings, name, env_file) for name in PORTS}
    return ComposeStack(
        gateway_url=urls["GATEWAY_PORT"],
        engine_url=urls["VLLM_PORT"],
        prometheus_url=urls["PROMETHEUS_PORT"],
        grafana_url=urls["GRAFANA_PORT"],
        admin_token=of_file.get("GATEWAY_ADMIN_TOKEN") or None,
        api_key=of_file.get("GATEWAY_API_KEYS", "").split(",")[0].strip() or None,
        engine_key=of_file.get("UPSTREAM_API_KEY", ""),
        grafana_password=settings.get("GRAFANA_PASSWORD") or None,
        settings=settings,
    )


def look(stack: ComposeStack, model: str | None) -> Engine:
    """The stack's engine, once gateway, engine and Prometheus are all known to work.

    Raises:
        UserError: a part of the stack is not up, or it does not serve `model`.
        EnvironmentProblem: its Prometheus does not scrape it.
    """
    _require(f"{stack.gateway_url}/health", "gateway", "GATEWAY_PORT")
    _require(f"{stack.prometheus_url}/-/ready", "Prometheus", "PROMETHEUS_PORT")
    if not answers(f"{stack.gateway_url}/ready", timeout_s=5)():
        raise UserError(
            f"the compose stack's gateway at {stack.gateway_url} is up and its engine is not ready: wait for "
            "it (the first start of vLLM downloads the model), or see its log"
        )
    direct = answers(f"{stack.engine_url}/health", timeout_s=5)()
    facts = _facts(stack, direct)
    scraped = direct and facts.metrics_page is not False
    await_scrapes(Prometheus(stack.prometheus_url), ("gateway", *(("engine",) if scraped else ())))
    if model and model not in facts.models:
        raise UserError(f"the compose stack does not serve {model!r}; it serves {', '.join(facts.models)}")
    provider = _provider(facts, direct)
    facts = _with_settings(facts, provider, stack.settings)
    return Engine(
        endpoint=Endpoint.parse(stack.engine_url, stack.engine_key) if direct else None,
        model=model or facts.model,
        provider=provider,
        label=f"{known.label_of(provider, facts)} in compose",
        facts=facts,
    )


def _require(url: str, what: str, variable: str) -> None:
    if not answers(url, timeout_s=5)():
        raise UserError(
            f"the compose stack is not up: no {what} answers at {url} ({variable} in compose/.env); "
            "start it with `make up`"
        )


def _facts(stack: ComposeStack, direct: bool) -> EngineFacts:
    """What the engine says of itself, or what the gateway knows of it where its port is not published."""
    try:
        url, key = (stack.engine_url, stack.engine_key) if direct else (stack.gateway_url, stack.api_key)
        return engine_asked.read(Endpoint.parse(url, key or ""), recognising.recognise)
    except EnvironmentProblem:
        return EngineFacts(models=(stack.settings.get("MODEL_NAME") or "qwen25-14b",))


def _provider(facts: EngineFacts, direct: bool) -> Provider:
    """Which of the stack's engines it is: an engine elsewhere is only known as external."""
    recognised = known.recognised(facts)
    if recognised is EMULATOR:
        return EMULATOR
    if facts.root == _TINY_MODEL:
        return VLLM_CPU
    return VLLM if direct and recognised is VLLM else EXTERNAL


def _with_settings(facts: EngineFacts, provider: Provider, settings: Mapping[str, str]) -> EngineFacts:
    """The facts with what compose.yaml and its images set, which the engine itself does not tell."""
    facts = replace(facts, stack=known.COMPOSE)
    if provider.name not in _MAX_NUM_SEQS:
        return facts
    name, default = _MAX_NUM_SEQS[provider.name]
    batch = settings.get(name) or default
    facts = replace(facts, max_num_seqs=int(batch) if batch.isdigit() else None)
    if provider is VLLM_CPU:
        return replace(facts, command=("--load-format", "dummy", "--max-num-seqs", batch))
    return replace(facts, gpu=usable_gpu())
