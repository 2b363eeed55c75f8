"""Running the local stack with the Locust web UI."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import alertmanager, cores, engine, gateway, load, paths, ports, process, prometheus
from experiments.stack.alertmanager import Alertmanager
from experiments.stack.receivers import told_of
from gateway.limits import LIMIT_NAMES
from loadtests.reach import handed_down
from loadtests.reach.endpoint import Endpoint

_LIMITS = tuple(name.upper() for name in LIMIT_NAMES)
"""The gateway's limits, as its environment names them."""


def run(args: argparse.Namespace) -> int:
    """Run the stack until the web UI ends or Ctrl-C. `args`: the flags of `ui`.

    Raises:
        UserError, EnvironmentProblem: something cannot be started, with the reason.
    """
    folder = paths.home() / "runs" / "ui"
    web_port = ports.require_free(args.web_port, what="the Locust web UI (--web-port)")
    gateway_port = ports.require_free(args.gateway_port, what="the gateway (--gateway-port)")
    choice = engine.choose(
        args.engine, engine_url=args.at, model=args.model, profile=args.profile, on_progress=_say
    )
    if choice.why:
        _say(choice.why)
    shared = cores.split(cores.AUTO, engine_is_here=choice.provider.on_our_cores)
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(
            engine.running(choice, log_dir=folder / "logs", cpus=shared.engine, on_progress=_say)
        )
        engine_at = served.endpoint
        assert engine_at is not None, "an engine that is started or named here is reached itself"
        if served.account:
            _say(served.account)
        front = stack.enter_context(
            gateway.running(
                engine_url=served.url,
                model=served.model,
                log_dir=folder / "logs",
                cpus=shared.others,
                env={key: value for key, value in os.environ.items() if key in _LIMITS}
                | gateway.reaching(engine_at),
                port=gateway_port,
            )
        )
        load_port = ports.free_port()
        prometheus_at = _prometheus(stack, folder, served, front.endpoint, load_port)
        web = stack.enter_context(
            process.running(
                process.Command(
                    _locust(served, front, folder, web_port, load_port),
                    "the Locust web UI",
                    folder / "logs" / "locust.log",
                    env=load.environment()
                    | handed_down.to_environment((engine_at, engine_at.below("/metrics"))),
                    cwd=folder,
                    cpus=shared.others,
                ),
                ready=ports.answers(f"http://127.0.0.1:{web_port}/"),
            )
        )
        _say(f"engine       {served.url}  ({served.label})")
        _say(f"gateway      {front.url}  (admin token {front.admin_token})")
        _say(f"Prometheus   {prometheus_at}")
        _say(f"load test    http://127.0.0.1:{web_port}/llm   ← open this; Ctrl-C ends everything")
        while (code := web.wait(3600)) is None:
            pass
    raise EnvironmentProblem(
        f"the Locust web UI ended by itself (exit code {code}); see {web.command.log_path}"
    )


def _prometheus(
    stack: contextlib.ExitStack, folder: Path, served: engine.Engine, front: Endpoint, load_port: int
) -> str:
    """Its address, or why it does not run: the stack is of use without it. An engine without metrics is no
    target."""
    targets: dict[str, str | Endpoint] = {"gateway": front, "load": f"127.0.0.1:{load_port}"}
    if served.facts.metrics_page and served.endpoint is not None:
        targets["engine"] = served.endpoint
    try:
        told = _alertmanager(stack, folder)
        running = stack.enter_context(
            prometheus.running(
                targets=targets,
                data_dir=folder / "prometheus",
                log_dir=folder / "logs",
                alertmanager=told.address if told else None,
            )
        )
    except EnvironmentProblem as problem:
        return f"not running: {problem}"
    return running.url if told is None else f"{running.url}  (alerts go to {told.url})"


def _alertmanager(stack: contextlib.ExitStack, folder: Path) -> Alertmanager | None:
    """Where alerts go; None where no receiver is named."""
    if not told_of(os.environ):
        return None
    return stack.enter_context(
        alertmanager.running(
            receivers=os.environ, data_dir=folder / "alertmanager", log_dir=folder / "logs", on_progress=_say
        )
    )


def _locust(
    served: engine.Engine, front: gateway.Gateway, folder: Path, web_port: int, load_port: int
) -> list[str]:
    command = [sys.executable, "-m", "locust", "-f", str(paths.locustfile())]
    command += ["--runs-dir", str(folder)]
    command += ["--web-host", "127.0.0.1", "--web-port", str(web_port), "--host", front.url]
    command += ["--model", served.model, "--tokenize-url", served.url, "--metrics-port", str(load_port)]
    return [*command, "--engine-metrics", f"{served.url}/metrics"]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
