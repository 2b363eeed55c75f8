"""What a run asks its Prometheus about: its own gateway, engine and GPU, and nothing of anybody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from experiments.cli.sweep_args import SweepOptions
from experiments.errors import UserError
from experiments.observe import identity
from experiments.observe.engine_identity import SoughtEngine
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import EVERYTHING, Scope, Selector
from experiments.stack import prometheus
from experiments.stack.engine import Engine
from loadtests.reach.endpoint import Endpoint

_COMPOSE_GPU_JOB = "dcgm"


def targets(gateway: Endpoint, engine: Engine, load_ports: tuple[int, int]) -> dict[str, str | Endpoint]:
    """What a Prometheus of our own scrapes: job → address. An engine without metrics is no target."""
    found: dict[str, str | Endpoint] = {"gateway": gateway}
    found |= {f"loadgen-{i}": f"127.0.0.1:{port}" for i, port in enumerate(load_ports)}
    if engine.endpoint is not None and engine.facts.metrics_page is not False:
        found["engine"] = engine.endpoint
    dcgm = os.environ.get("DCGM_EXPORTER_URL")
    if dcgm:
        found["dcgm"] = dcgm
    return found


def of_own(url: str, names: EngineMetrics, of: Mapping[str, str | Endpoint]) -> ServerMetrics:
    """A Prometheus of our own, which scrapes these targets. Its database may still have an earlier start of
    gateway or engine, which listened elsewhere.

    Raises:
        EnvironmentProblem: it cannot be reached.
    """
    own = {job: Selector.equal(prometheus.labels_of(job, target)) for job, target in of.items()}
    metrics = ServerMetrics(url, names, Scope(own["gateway"], own.get("engine"), own.get("dcgm")))
    metrics.check()
    return metrics


def sought(engine: Engine, gateway: Endpoint, *, in_compose: bool) -> SoughtEngine:
    """The engine as it is looked for in somebody else's Prometheus."""
    gpu_job = _COMPOSE_GPU_JOB if in_compose else None
    return SoughtEngine(
        engine.endpoint, gateway, engine.facts.metrics_page is not False, engine.model, gpu_job
    )


def of_shared(
    prometheus_at: Endpoint,
    names: EngineMetrics,
    admin: GatewayAdmin,
    engine: SoughtEngine,
    options: SweepOptions,
    tell: Callable[[str], None],
) -> ServerMetrics:
    """A Prometheus that somebody else runs, asked about this gateway and this engine only: as the options
    say, else as it is found out here.

    Raises:
        UserError: they cannot be told from others, or Prometheus cannot read a selector that was given.
        EnvironmentProblem: it cannot be reached.
    """
    everything = ServerMetrics(prometheus_at, names, options.prometheus_scope or EVERYTHING)
    everything.check()
    if options.prometheus_scope is not None:
        return everything
    for written, selector in options.prometheus_selectors.written():
        wrong = everything.refusal(selector.of("up"))
        if wrong is not None:
            raise UserError(f"--prometheus-selector {written}: Prometheus at {everything.url} says {wrong}")
    scope = identity.find(everything, admin, engine, options.prometheus_selectors, tell)
    return ServerMetrics(prometheus_at, names, scope)
