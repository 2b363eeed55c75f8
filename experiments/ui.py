"""A local stack to play with: engine, gateway and Prometheus, with the Locust web UI in front.

Ends with Ctrl-C, and everything it started ends with it. Logs and load runs are under runs/ui/.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from experiments.cli import engine_flags, secrets
from experiments.errors import run_command
from experiments.stack.receivers import RECEIVERS
from gateway.limits import LIMIT_NAMES

_EXAMPLES = """examples:
  %(prog)s                          the emulator
  %(prog)s --engine auto            real vLLM where it can run
  %(prog)s --engine-url http://…    an engine that is already running
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.ui") -> int:
    """Run the stack until the web UI ends or Ctrl-C.

    Raises:
        UserError, EnvironmentProblem: something cannot be started, with the reason.
    """
    args = _arguments(argv, prog)
    from experiments.jobs import ui

    return ui.run(args)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    limits = ", ".join(name.upper() for name in LIMIT_NAMES)
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=f"{_EXAMPLES}\nThe gateway's limits come from the environment: {limits}.\n"
        f"So does who is told of alerts: {', '.join(RECEIVERS)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    engine_flags.add(parser, engine_flags.HERE)
    parser.add_argument("--web-port", type=int, default=8089, help="of the web UI (default: %(default)s)")
    parser.add_argument(
        "--gateway-port", type=int, default=8080, help="of the gateway (default: %(default)s)"
    )
    secrets.hide(argv)
    args = parser.parse_args(argv)
    engine_flags.settle(args)
    if args.engine_url and "--engine" not in " ".join(argv).replace("--engine-url", ""):
        args.engine = engine_flags.ELSEWHERE
    return args


if __name__ == "__main__":
    run_command(main)
