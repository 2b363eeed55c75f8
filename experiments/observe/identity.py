"""Finds this gateway and this engine among everything that a shared Prometheus scrapes, by what only they can
show.

A gateway exports an id that its process drew; the engine is found by its counters, and its GPU by where it
runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from experiments.errors import UserError
from experiments.observe import engine_identity
from experiments.observe.engine_identity import EVERY_S, LONGEST_S, SoughtEngine
from experiments.observe.gateway_admin import Counters, GatewayAdmin, GatewayMoment
from experiments.observe.gpu_series import GPU_SERIES
from experiments.observe.prometheus import OF_GATEWAY, ServerMetrics
from experiments.observe.scraped import listed, target_of
from experiments.observe.selector import DCGM_NAME, GivenSelectors, Scope, Selector, only


def find(
    metrics: ServerMetrics,
    admin: GatewayAdmin,
    engine: SoughtEngine,
    given: GivenSelectors,
    tell: Callable[[str], None],
) -> Scope:
    """The series of this gateway, this engine and its GPU. An engine that is not scraped is told and left
    out.

    Raises:
        UserError: the gateway is not scraped, or it cannot be told which of several targets is meant.
        EnvironmentProblem: Prometheus or the gateway fails.
    """
    gateway = _gateway(metrics, admin, given, tell)
    labels = engine_identity.find(metrics, engine, given, tell)
    gpu = _gpu(metrics, dict(labels[0]) if labels is not None else {}, engine.gpu_job, given, tell)
    return Scope(gateway, only(dict(labels[0]), [dict(one) for one in labels]) if labels else None, gpu)


def _gateway(
    metrics: ServerMetrics, admin: GatewayAdmin, given: GivenSelectors, tell: Callable[[str], None]
) -> Selector:
    own = GatewayMoment.of(Counters.parse(admin.metrics_text())).instance
    narrow = given.of("gateway")
    if own is None:
        return _gateway_without_id(metrics, admin, narrow)
    give_up_s, told = time.monotonic() + LONGEST_S, False
    id_matcher = f'id="{own}"'
    while True:
        found = metrics.query(narrow.of("gateway_instance_info", id_matcher), time.time())
        targets = sorted({target_of(series, {"id"}) for series in found})
        if targets:
            others = metrics.query(Selector().of("gateway_instance_info"), time.time())
            among = [dict(target_of(series, {"id"})) for series in others]
            return only(dict(targets[0]), among)
        if time.monotonic() > give_up_s:
            raise UserError(
                f"Prometheus at {metrics.url} does not scrape the gateway at {admin.url}"
                f"{f' among {narrow}' if narrow.matchers else ''}"
                f" ({_seen(metrics, narrow, OF_GATEWAY)}); add it there, or leave --prometheus-url out"
            )
        if not told:
            tell(f"waiting for {metrics.url} to scrape the gateway")
            told = True
        time.sleep(EVERY_S)


def _gateway_without_id(metrics: ServerMetrics, admin: GatewayAdmin, narrow: Selector) -> Selector:
    targets = sorted({target_of(one) for one in metrics.query(narrow.of(OF_GATEWAY), time.time())})
    if len(targets) != 1:
        raise UserError(
            f"the gateway at {admin.url} is of a version without an id, and Prometheus at {metrics.url} has "
            f"{listed(targets)}: say which with --prometheus-selector 'gateway{{job=\"…\"}}'"
        )
    return only(dict(targets[0]), [])


def _gpu(
    metrics: ServerMetrics,
    engine: Mapping[str, str],
    job: str | None,
    given: GivenSelectors,
    tell: Callable[[str], None],
) -> Selector | None:
    """The GPUs of the engine's pod, else of its machine; those that were named go first. None where it cannot
    be told."""
    narrow = given.of("gpu")
    if given.names("gpu"):
        return narrow
    if job is not None:
        return Selector((f'job="{job}"', *narrow.matchers))
    names = sorted({name for promql in GPU_SERIES.values() for name in DCGM_NAME.findall(promql)})
    found = metrics.query(narrow.of("", f'__name__=~"{"|".join(names)}"'), time.time())
    own = [labels for series in found if (labels := _on_same_machine(series.labels, engine))]
    if own:
        return Selector((*Selector.equal(own[0]).matchers, *narrow.matchers))
    if found:
        tell(
            f"none of the GPUs that {metrics.url} scrapes is known to be the engine's: name it with "
            "--prometheus-selector 'gpu{instance=\"…\"}', or there are no GPU series in this run"
        )
    return None


def _on_same_machine(gpu: Mapping[str, str], engine: Mapping[str, str]) -> dict[str, str]:
    """The labels that tie a series of a GPU to the engine's target: the pod that uses it, the node, the
    address."""
    pod = engine.get("pod")
    for prefix in ("exported_", ""):
        names = (f"{prefix}pod", f"{prefix}namespace")
        if pod and gpu.get(names[0]) == pod and gpu.get(names[1]) == engine.get("namespace"):
            return {name: gpu[name] for name in names if name in gpu}
    node = engine.get("node")
    for name in ("node", "Hostname"):
        if node and gpu.get(name) == node:
            return {name: node}
    host = engine.get("instance", "").rpartition(":")[0]
    if host and gpu.get("instance", "").rpartition(":")[0] == host:
        return {"instance": gpu["instance"]}
    return {}


def _seen(metrics: ServerMetrics, narrow: Selector, metric: str) -> str:
    found = metrics.query(narrow.of(metric), time.time())
    return f"it has {listed(sorted({target_of(one) for one in found}))}"
