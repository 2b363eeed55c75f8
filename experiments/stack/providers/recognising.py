"""Which row a running engine is, asked of it with as few requests as will do."""

from __future__ import annotations

from collections.abc import Callable

from experiments.observe.engine_metrics import EngineMetrics, names_on
from experiments.stack.engine_signature import Kind, Signature, Told
from experiments.stack.engine_site import Site
from experiments.stack.providers.known import PROVIDERS
from experiments.stack.providers.provider import Provider
from experiments.stack.providers.vllm import SIGNATURE as VLLM_SIGNATURE


def recognise(site: Site) -> Kind:
    """By the owner of its models, else by the names of its metrics, else by the page that only its kind has.

    An engine of no known kind is any server of the OpenAI API, and has no metrics that we could read.
    """
    signed = [(row, row.signature) for row in PROVIDERS if row.signature is not None]
    for row, signature in signed:
        if site.owner in signature.owners:
            return _kind(site, row, f"its models are owned by {site.owner!r}", _told(site, signature))
    there = names_on(site.page or "")
    for row, signature in signed:
        if signature.prefix and any(name.startswith(signature.prefix) for name in there):
            why = f"its metrics begin with {signature.prefix!r}"
            return _kind(site, row, why, _told(site, signature))
    for row, signature in signed:
        found = site.told(signature) if signature.by_page else None
        if found is not None:
            path, told = found
            return _kind(site, row, f"it answers {path} as such", told)
    nothing = EngineMetrics()
    return Kind(site.owner, "", _told(site, VLLM_SIGNATURE), nothing, nothing.untold())


def as_one_of(row: Provider) -> Callable[[Site], Kind]:
    """Takes an engine for what the user says, or what we started, whatever it says of itself."""

    def named(site: Site) -> Kind:
        told = _told(site, row.signature or VLLM_SIGNATURE)
        kind = _kind(site, row, f"--engine {row.name}", told)
        if row.launch is None:
            return kind
        return Kind(site.owner, "", told, kind.metrics, kind.untold)

    return named


def _told(site: Site, signature: Signature) -> Told:
    found = site.told(signature)
    return found[1] if found is not None else Told()


def _kind(site: Site, row: Provider, why: str, told: Told) -> Kind:
    """Without a page the names are those of the newest version: a Prometheus elsewhere may have them."""
    newest = row.metrics.newest
    if site.page is None:
        return Kind(row.name, why, told, newest, EngineMetrics().untold())
    prefix = row.signature.prefix if row.signature is not None else ""
    if newest.names() and not any(name.startswith(prefix) for name in names_on(site.page)):
        hint = f"; if that stays so, {row.metrics_hint}" if row.metrics_hint else ""
        why = f"{why}; its metrics page has none of them so far{hint}"
        return Kind(row.name, why, told, newest, newest.untold())
    metrics = row.metrics.on(site.page)
    return Kind(row.name, why, told, metrics, metrics.untold(site.page))
