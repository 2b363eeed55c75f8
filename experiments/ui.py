"""A local stack to play with: engine, gateway and Prometheus, with the Locust web UI in front.

Ends with Ctrl-C, and everything it started ends with it. Logs and load runs are under runs/ui/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import secrets
from experiments.errors import EnvironmentProblem, run_command
from experiments.stack import alertmanager, cores, engine, gateway, load, paths, ports, process, prometheus
from experiments.stack.alertmanager import Alertmanager
from experiments.stack.providers import known
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.receivers import RECEIVERS, told_of
from gateway.limits import LIMIT_NAMES
from loadtests.reach import handed_down
from loadtests.reach.endpoint import Endpoint


def main(argv: Sequence[str], prog: str = "python -m experiments.ui") -> int:
    """Run the stack until the web UI ends or Ctrl-C.

    Raises:
        UserError, EnvironmentProblem: something cannot be started, with the reason.
    """
    args = _arguments(argv, prog)
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


_EXAMPLES = """examples:
  %(prog)s                          the emulator
  %(prog)s --engine auto            real vLLM where it can run
  %(prog)s --engine-url http://…    an engine that is already running
"""
_LIMITS = tuple(name.upper() for name in LIMIT_NAMES)
"""The gateway's limits, as its environment names them."""


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=f"{_EXAMPLES}\nThe gateway's limits come from the environment: {', '.join(_LIMITS)}.\n"
        f"So does who is told of alerts: {', '.join(RECEIVERS)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", default=EMULATOR.name, choices=known.CHOICES, help="default: %(default)s")
    parser.add_argument("--engine-url", help="an engine that is already running, without /v1")
    secrets.add_engine_key(parser, os.environ)
    parser.add_argument("--model", help="the model that the engine is to serve")
    parser.add_argument("--profile", default="tiny-cpu", help="timing of the emulator (default: %(default)s)")
    parser.add_argument("--web-port", type=int, default=8089, help="of the web UI (default: %(default)s)")
    parser.add_argument(
        "--gateway-port", type=int, default=8080, help="of the gateway (default: %(default)s)"
    )
    secrets.hide(argv)
    args = parser.parse_args(argv)
    args.at = secrets.engine(args.engine_url, args.upstream_api_key, os.environ) if args.engine_url else None
    if args.engine_url and "--engine" not in " ".join(argv).replace("--engine-url", ""):
        args.engine = EXTERNAL.name
    return args


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


if __name__ == "__main__":
    run_command(main)
