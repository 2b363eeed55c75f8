"""`python -m experiments.recommend RUN`: the setting to apply, with its evidence; `--apply URL` sets it
live."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import run_argument, secrets, slo_flag
from experiments.errors import run_command

_EXAMPLES = """examples:
  %(prog)s runs/20260101-120000-0123456789ab
  %(prog)s RUN --slo 'ttft<=2s,attainment>=0.9'
  %(prog)s RUN --apply http://127.0.0.1:8080
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.recommend") -> int:
    """Print the recommendation, write recommended.env; exit code 0, or 2 for a user's mistake."""
    secrets.hide(argv)
    args = _parser(prog).parse_args(argv)
    gateway = secrets.endpoint("--apply", args.apply) if args.apply else None
    slo = slo_flag.parsed(args.slo)
    run_argument.require_run(args.run)
    from experiments.jobs import recommend

    return recommend.run(args.run, slo, gateway, args.admin_token)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The gateway setting to apply, from a finished or partial run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--slo", help="judge under this SLO instead of the run's own")
    parser.add_argument("--apply", metavar="URL", help="set it live on the gateway at URL, and read it back")
    parser.add_argument(
        "--admin-token", default=os.environ.get("GATEWAY_ADMIN_TOKEN"), help="default: $GATEWAY_ADMIN_TOKEN"
    )
    return parser


if __name__ == "__main__":
    run_command(main)
