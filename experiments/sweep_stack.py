"""Everything a sweep runs on, started in order and always stopped: engine, gateway, Prometheus, cores."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.gateway_admin import GatewayAdmin
from experiments.server_metrics import ServerMetrics
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways
from experiments.stack import ports
from experiments.stack import prometheus as prometheuses
from experiments.stack.engine import Engine
from experiments.sweep_args import SweepOptions

# The probe must not meet a limit; the cells set their own.
_OPEN_LIMITS: dict[str, Any] = {
    "max_active": 512,
    "queue_mode": "queue",
    "queue_max": 1000,
    "queue_timeout_s": 120.0,
    "queue_order": "fifo",
    "request_timeout_s": 300.0,
}


@dataclass(frozen=True, slots=True)
class SweepStack:
    """The running stack. `load_ports` are two, so that the next generator can stand ready while one still
    runs."""

    engine: Engine
    gateway_url: str
    admin: GatewayAdmin
    metrics: ServerMetrics
    load_ports: tuple[int, int]
    load_cpus: frozenset[int] | None


@contextlib.contextmanager
def running(
    options: SweepOptions, logs: Path, prometheus_data: Path, tell: Callable[[str], None]
) -> Iterator[SweepStack]:
    """The stack for `options`, all of it ready; everything that was started here is stopped on leaving.

    Raises:
        UserError, EnvironmentProblem: something cannot be started or reached, with the reason.
    """
    engine_cpus, harness_cpus = _cores(options)
    with contextlib.ExitStack() as stack:
        if options.gateway_url is None:
            choice = engines.choose(
                options.spec.engine.provider,
                engine_url=options.spec.engine.url,
                model=options.spec.engine.model,
                on_progress=tell,
            )
            if choice.why:
                tell(choice.why)
            tell(f"starting the engine: {choice.provider}")
            engine = stack.enter_context(
                engines.running(choice, log_dir=logs, cpus=engine_cpus, on_progress=tell)
            )
            tell(f"engine ready: {engine.label}")
            gateway = stack.enter_context(
                gateways.running(
                    engine_url=engine.url, model=engine.model, log_dir=logs, cpus=harness_cpus, env={}
                )
            )
        else:
            engine = _behind(options)
            gateway = gateways.external(options.gateway_url, options.admin_token)
        admin = GatewayAdmin(gateway.url, gateway.admin_token)
        stack.callback(admin.close)
        stack.enter_context(_limits_restored(admin))
        admin.apply(_OPEN_LIMITS)
        load_ports = (ports.free_port(), ports.free_port())
        metrics = ServerMetrics(
            options.prometheus_url
            or stack.enter_context(
                prometheuses.running(
                    targets=_targets(gateway.url, engine, load_ports),
                    data_dir=prometheus_data,
                    log_dir=logs,
                    cpus=harness_cpus,
                )
            ).url
        )
        metrics.check()
        yield SweepStack(engine, gateway.url, admin, metrics, load_ports, harness_cpus)


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
            admin.apply({key: value for key, value in before.items() if key in _OPEN_LIMITS})


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
        if not on_cpu or len(usable) < 2 or options.spec.engine.provider in ("vllm", "external"):
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
