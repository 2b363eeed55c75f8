"""The compose stack of this machine as a sweep uses it: addresses and secrets from its `.env`, facts from its
engine.

Nothing is started or stopped here: the stack is somebody's service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine_facts, paths
from experiments.stack.engine import Engine, usable_gpu
from experiments.stack.engine_command import Provider
from experiments.stack.ports import answers
from experiments.stack.prometheus import Prometheus, await_scrapes

PORTS = {"GATEWAY_PORT": 8080, "VLLM_PORT": 8000, "PROMETHEUS_PORT": 9090, "GRAFANA_PORT": 9091}
# Where the image of the cpu profile keeps its random-weight model: nothing else says what it serves.
_TINY_MODEL = "/opt/tiny"
# Largest batch by engine: the variable of compose.yaml that sets it, and its default there.
_MAX_NUM_SEQS = {"vllm": ("MAX_NUM_SEQS", "32"), "vllm-cpu": ("CPU_MAX_NUM_SEQS", "16")}


@dataclass(frozen=True, slots=True)
class ComposeStack:
    """Where the stack's services are published, and what it takes to use them.

    Attributes:
        settings: variables of `.env`, those of our own environment over it, as compose itself has it.
        admin_token, api_key, grafana_password: None where the stack has none.
    """

    gateway_url: str
    engine_url: str
    prometheus_url: str
    grafana_url: str
    admin_token: str | None = field(repr=False)
    api_key: str | None = field(repr=False)
    grafana_password: str | None = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)


def env_file() -> Path:
    """The stack's variables, where `make up` writes them."""
    return paths.compose() / ".env"


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
            f"writes "
            "compose/.env and starts the stack, --compose-env names another file"
        ) from None
    settings = of_file | {name: value for name, value in own.items() if value}
    urls = {name: _address(settings, name, default, env_file) for name, default in PORTS.items()}
    return ComposeStack(
        gateway_url=urls["GATEWAY_PORT"],
        engine_url=urls["VLLM_PORT"],
        prometheus_url=urls["PROMETHEUS_PORT"],
        grafana_url=urls["GRAFANA_PORT"],
        admin_token=of_file.get("GATEWAY_ADMIN_TOKEN") or None,
        api_key=of_file.get("GATEWAY_API_KEYS", "").split(",")[0].strip() or None,
        grafana_password=settings.get("GRAFANA_PASSWORD") or None,
        settings=settings,
    )


def read_env(text: str) -> dict[str, str]:
    """The variables of an env file: `NAME=value` lines, quotes around a value taken off, comments left
    out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        found[name.strip()] = value
    return found


def look(stack: ComposeStack, model: str | None) -> Engine:
    """The stack's engine, once gateway, engine and Prometheus have all been seen to work.

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
    await_scrapes(Prometheus(stack.prometheus_url, None), ("gateway", *(("engine",) if direct else ())))
    facts = _facts(stack, direct)
    if model and model not in facts["models"]:
        raise UserError(f"the compose stack does not serve {model!r}; it serves {', '.join(facts['models'])}")
    provider = _provider(facts, direct)
    facts |= _of_settings(provider, stack.settings) | {"stack": "compose"}
    return Engine(
        url=stack.engine_url if direct else "",
        model=model or str(facts["models"][0]),
        provider=provider,
        label=f"{engine_facts.label(provider, facts)} in compose",
        facts=facts,
        pid=None,
    )


def _address(settings: Mapping[str, str], name: str, default: int, env_file: Path) -> str:
    port = settings.get(name) or str(default)
    if not port.isdigit():
        raise UserError(f"{env_file}: {name} = {port!r} is not a port number")
    host = settings.get("BIND_ADDRESS") or "127.0.0.1"
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"


def _require(url: str, what: str, variable: str) -> None:
    if not answers(url, timeout_s=5)():
        raise UserError(
            f"the compose stack is not up: no {what} answers at {url} ({variable} in compose/.env); "
            "start it with `make up`"
        )


def _facts(stack: ComposeStack, direct: bool) -> dict[str, Any]:
    """What the engine says of itself, or what the gateway knows of it where its port is not published."""
    try:
        return engine_facts.read(stack.engine_url if direct else stack.gateway_url)
    except EnvironmentProblem:
        name = stack.settings.get("MODEL_NAME") or "qwen25-14b"
        return {"models": [name], "engine_kind": None, "version": None, "root": None}


def _provider(facts: Mapping[str, Any], direct: bool) -> Provider:
    """Which of the stack's engines it is: one that is told to be elsewhere is only known as external."""
    if facts["engine_kind"] == "emulator":
        return "emulator"
    if facts["root"] == _TINY_MODEL:
        return "vllm-cpu"
    return "vllm" if direct and facts["engine_kind"] == "vllm" else "external"


def _of_settings(provider: Provider, settings: Mapping[str, str]) -> dict[str, Any]:
    """What compose.yaml and its images set, which the engine itself does not tell."""
    if provider not in _MAX_NUM_SEQS:
        return {}
    name, default = _MAX_NUM_SEQS[provider]
    batch = settings.get(name) or default
    facts: dict[str, Any] = {"max_num_seqs": int(batch) if batch.isdigit() else None}
    if provider == "vllm-cpu":
        return facts | {"command": ["--load-format", "dummy", "--max-num-seqs", batch]}
    return facts | {"gpu": usable_gpu()}
