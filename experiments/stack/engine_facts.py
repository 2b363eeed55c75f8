"""What is known of a running engine: what it says of itself, and how we started it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import httpx

from experiments.errors import EnvironmentProblem
from experiments.observe import clients, engine_counters, engine_metrics, metrics_page
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.metrics_page import NotMetricsError
from experiments.stack.engine_signature import Kind, Site
from experiments.stack.paths import CODE, home
from loadtests.reach import why
from loadtests.reach.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself and how it was started; none and empty: not known."""

    models: tuple[str, ...] = ()
    """the names it serves"""
    max_model_len: int | None = None
    """longest prompt and answer together, tokens"""
    root: str | None = None
    """where the weights are from"""
    engine_kind: str | None = None
    """what it was taken for: `vllm`, `emulator`, `sglang` …, else the owner of its models"""
    version: str | None = None
    block_size: int | None = None
    """of its KV cache, tokens"""
    num_gpu_blocks: int | None = None
    """of its KV cache"""
    enable_prefix_caching: str | None = None
    """as the engine prints it"""
    kv_cache_size_tokens: int | None = None
    command: tuple[str, ...] = ()
    """how it was started, with paths inside the project relative to it"""
    cpus: tuple[int, ...] | None = None
    """the CPU numbers it was given"""
    max_num_seqs: int | None = None
    """its largest batch, sequences"""
    knobs: dict[str, int] = field(default_factory=dict)
    """limits that it was started with, by name"""
    why: str = ""
    """what the user should know about the choice of this engine"""
    ready_after_s: float | None = None
    """from its start until it was ready"""
    gpu: str | None = None
    """its name"""
    stack: str | None = None
    """`compose` where it belongs to the compose stack"""
    recognised_by: str = ""
    """what an engine that runs elsewhere was known by; empty: it is of no known kind, or ours"""
    metrics_page: bool | None = None
    """whether it has one; none: it was not asked"""
    no_metrics: str | None = None
    """what its `/metrics` is or does instead of being a page of metrics"""
    metric_names: dict[str, str] | None = None
    """what is read of it → what it calls it; none: it was not asked, and is read as vLLM"""
    untold: tuple[str, ...] = ()
    """what it does not tell, in words"""

    @property
    def model(self) -> str:
        """The first model that it serves; empty where it is not known."""
        return self.models[0] if self.models else ""

    @property
    def metrics(self) -> EngineMetrics:
        """What it calls its metrics."""
        if self.metric_names is None:
            return engine_metrics.VLLM
        known = {item.name for item in fields(EngineMetrics)}
        return EngineMetrics(**{what: name for what, name in self.metric_names.items() if what in known})

    @property
    def known_version(self) -> str:
        """The version as text."""
        return self.version or "of unknown version"

    def to_json(self) -> dict[str, object]:
        """As stored in run.json and calibration.json; every key is there."""
        stored = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in stored.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EngineFacts:
        """The inverse of `to_json`, of any version: what it does not know is left out, what is
        missing is not known."""
        known = {item.name: stored[item.name] for item in fields(cls) if stored.get(item.name) is not None}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})


def read(engine: Endpoint, recognise: Callable[[Site], Kind], *, model: str | None = None) -> EngineFacts:
    """What the engine there says of itself: kind, models, version, context length, KV cache and the names of
    its metrics. `recognise`: what it is taken for; `model` stands for the list of one that has none.

    Raises:
        EnvironmentProblem: it cannot be used, or serves no model; the sentence says why.
    """
    with clients.client(engine, 10.0) as client:
        served = _served(client, engine, model)
        if not served:
            raise EnvironmentProblem(f"the engine at {engine.url} serves no model")
        first = served[0]
        page, no_metrics = metrics_of(engine)
        site = Site(client, first.get("owned_by"), page)
        kind = recognise(site)
    cache = _cache_labels(page or "", kind.metrics.cache_info)
    return EngineFacts(
        models=tuple(str(one["id"]) for one in served),
        max_model_len=first.get("max_model_len") or kind.told.max_model_len,
        root=portable([first["root"]])[0] if first.get("root") else None,
        engine_kind=kind.name,
        recognised_by=kind.why,
        version=kind.told.version,
        max_num_seqs=kind.told.max_num_seqs,
        block_size=_whole(cache.get("block_size")),
        num_gpu_blocks=_whole(cache.get("num_gpu_blocks")),
        enable_prefix_caching=cache.get("enable_prefix_caching"),
        kv_cache_size_tokens=_whole(cache.get("kv_cache_size_tokens")),
        metrics_page=page is not None,
        no_metrics=no_metrics,
        metric_names=kind.metrics.names(),
        untold=kind.untold,
    )


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """The command with our own paths made relative to their folder: a run folder is mailed and archived."""
    return tuple(word.removeprefix(f"{home()}/").removeprefix(f"{CODE}/") for word in command)


def max_num_seqs(command: Sequence[str]) -> int | None:
    """The largest batch in sequences that a command line sets; None where the engine keeps its default."""
    return _whole(argument(command, "--max-num-seqs"))


def argument(command: Sequence[str], flag: str) -> str | None:
    """What follows `flag` in a command line; None where it is not given."""
    return command[command.index(flag) + 1] if flag in command else None


def _served(client: httpx.Client, engine: Endpoint, model: str | None) -> list[dict[str, Any]]:
    """The entries of its list of models.

    Raises:
        EnvironmentProblem: there is none and no `model` either, or the engine cannot be used.
    """
    try:
        answer = client.get("/v1/models")
    except httpx.HTTPError as error:
        raise unusable(engine, why.unreachable(error, engine)) from None
    refused = why.refused(answer.status_code, answer.headers.get("www-authenticate", ""), engine)
    if refused is not None:
        raise unusable(engine, refused)
    try:
        listed: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        [one["id"] for one in listed]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        pass
    else:
        return listed
    if model is not None:
        return [{"id": model}]
    said = f"it answers /v1/models with {answer.status_code}"
    if why.is_page(answer.headers.get("content-type", ""), answer.content):
        said = "what is there are web pages, not an API"
    raise unusable(engine, f"{said}; is the path right? An engine without that list needs --model")


def unusable(engine: Endpoint, reason: str) -> EnvironmentProblem:
    """The one sentence about an engine that cannot be used."""
    return EnvironmentProblem(f"the engine at {engine.url} cannot be used: {reason}")


def metrics_of(engine: Endpoint) -> tuple[str | None, str | None]:
    """The engine's metrics page, or what it answers instead."""
    try:
        return engine_counters.page(engine), None
    except NotMetricsError as error:
        return None, str(error)


def _cache_labels(page: str, name: str | None) -> Mapping[str, str]:
    """The labels of the gauge that tells the KV cache's size; none where the engine has no such gauge."""
    return next((sample.labels for sample in metrics_page.samples(page) if sample.name == name), {})


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
