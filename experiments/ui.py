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

from experiments.errors import EnvironmentProblem, run_command
from experiments.stack import engine, gateway, load, paths, ports, process, prometheus


def main(argv: Sequence[str], prog: str = "python -m experiments.ui") -> int:
    """Run the stack until the web UI ends or Ctrl-C.

    Raises:
        UserError, EnvironmentProblem: something cannot be started, with the reason.
    """
    args = _arguments(argv, prog)
    web_port = ports.require_free(args.web_port, what="the Locust web UI (--web-port)")
    gateway_port = ports.require_free(args.gateway_port, what="the gateway (--gateway-port)")
    choice = engine.choose(
        args.engine, engine_url=args.engine_url, model=args.model, profile=args.profile, on_progress=_say
    )
    if choice.why:
        _say(choice.why)
    folder = paths.home() / "runs" / "ui"
    engine_cpus, other_cpus = _cores()
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(
            engine.running(choice, log_dir=folder / "logs", cpus=engine_cpus, on_progress=_say)
        )
        front = stack.enter_context(
            gateway.running(
                engine_url=served.url,
                model=served.model,
                log_dir=folder / "logs",
                cpus=other_cpus,
                env={key: value for key, value in os.environ.items() if key in _LIMITS},
                port=gateway_port,
            )
        )
        load_port = ports.free_port()
        seen = _prometheus(stack, folder, served.url, front.url, load_port)
        web = stack.enter_context(
            process.running(
                _locust(served, front, folder, web_port, load_port),
                name="the Locust web UI",
                log_path=folder / "logs" / "locust.log",
                env=load.environment(),
                cwd=folder,
                cpus=other_cpus,
                ready=ports.answers(f"http://127.0.0.1:{web_port}/"),
                ready_timeout_s=30,
            )
        )
        _say(f"engine       {served.url}  ({served.label})")
        _say(f"gateway      {front.url}  (admin token {front.admin_token})")
        _say(f"Prometheus   {seen}")
        _say(f"Locust       http://127.0.0.1:{web_port}   ← open this; Ctrl-C ends everything")
        while (code := web.wait(3600)) is None:
            pass
    raise EnvironmentProblem(f"the Locust web UI ended by itself (exit code {code}); see {web.log_path}")


_EXAMPLES = """examples:
  %(prog)s                          the emulator
  %(prog)s --engine auto            real vLLM where it can run
  %(prog)s --engine-url http://…    an engine that is already running
"""
_LIMITS = ("MAX_ACTIVE", "QUEUE_MODE", "QUEUE_MAX", "QUEUE_TIMEOUT_S", "QUEUE_ORDER", "REQUEST_TIMEOUT_S")


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=f"{_EXAMPLES}\nThe gateway's limits come from the environment: {', '.join(_LIMITS)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", default="emulator", choices=engine.NAMES, help="default: %(default)s")
    parser.add_argument("--engine-url", help="an engine that is already running, without /v1")
    parser.add_argument("--model", help="the model that vLLM serves")
    parser.add_argument("--profile", default="tiny-cpu", help="timing of the emulator (default: %(default)s)")
    parser.add_argument("--web-port", type=int, default=8089, help="of the web UI (default: %(default)s)")
    parser.add_argument(
        "--gateway-port", type=int, default=8080, help="of the gateway (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    if args.engine_url and "--engine" not in " ".join(argv).replace("--engine-url", ""):
        args.engine = "external"
    return args


def _cores() -> tuple[set[int] | None, set[int] | None]:
    """The first core for the engine, the others for the rest, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (None, None)


def _prometheus(
    stack: contextlib.ExitStack, folder: Path, engine_url: str, gateway_url: str, load_port: int
) -> str:
    targets = {"gateway": gateway_url, "engine": engine_url, "load": f"127.0.0.1:{load_port}"}
    try:
        seen = stack.enter_context(
            prometheus.running(targets=targets, data_dir=folder / "prometheus", log_dir=folder / "logs")
        )
    except EnvironmentProblem as problem:
        return f"not running: {problem}"
    return seen.url


def _locust(
    served: engine.Engine, front: gateway.Gateway, folder: Path, web_port: int, load_port: int
) -> list[str]:
    command = [sys.executable, "-m", "locust", "-f", str(paths.locustfile())]
    command += ["--web-host", "127.0.0.1", "--web-port", str(web_port), "--host", front.url]
    command += ["--model", served.model, "--tokenize-url", served.url, "--metrics-port", str(load_port)]
    command += ["--runs-dir", str(folder)]
    return [*command, "--engine-metrics", f"{served.url}/metrics"]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_command(main)
