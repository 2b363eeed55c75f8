"""What a running engine says of itself when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from experiments.errors import EnvironmentProblem
from experiments.observe import engine_counters, metrics_page
from experiments.observe.metrics_page import NotMetricsError
from experiments.stack.engine_facts import EngineFacts, portable, whole
from experiments.stack.engine_signature import Kind
from experiments.stack.engine_site import Site
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint


def read(engine: Endpoint, recognise: Callable[[Site], Kind], *, model: str | None = None) -> EngineFacts:
    """What the engine there says of itself: kind, models, version, context length, KV cache and the names of
    its metrics. `recognise`: what it is taken for; `model` stands for the list of one that has none.

    Raises:
        EnvironmentProblem: it cannot be used, or serves no model; the sentence says why.
    """
    with http_client.client(engine, 10.0) as client:
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
        block_size=whole(cache.get("block_size")),
        num_gpu_blocks=whole(cache.get("num_gpu_blocks")),
        enable_prefix_caching=cache.get("enable_prefix_caching"),
        kv_cache_size_tokens=whole(cache.get("kv_cache_size_tokens")),
        metrics_page=page is not None,
        no_metrics=no_metrics,
        metric_names=kind.metrics.names(),
        untold=kind.untold,
    )


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
