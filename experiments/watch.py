"""`python -m experiments.watch`: is the engine still as fast as it was? Few small probes, or the recorded
rows of users, against a stored baseline."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import secrets
from experiments.cli.one_sentence import OneSentenceParser
from experiments.errors import UserError, run_command
from experiments.spec.durations import parse_s

_EXAMPLES = """examples:
  %(prog)s --gateway-url http://127.0.0.1:8080 --model qwen25-14b
  %(prog)s --gateway-url http://127.0.0.1:8080 --model m --every 2m --learn 24h --folder watch/night
  %(prog)s --recorded /var/lib/headroom/recording                  has it become slower, and when?
  %(prog)s --recorded /var/lib/headroom/recording --baseline runs/watch/baseline.json
  %(prog)s --recorded /var/lib/headroom/recording --follow         the same, as it goes on

The first --learn of time makes the baseline, unless there is one in the folder. Prometheus finds the result
at http://127.0.0.1:9877/metrics; the alert EngineDrift reads it.

exit code of --recorded without --follow: 0 as fast as before, 20 it was slower, 21 too few rows to tell
"""
METRICS_PORT = 9877


def main(argv: Sequence[str], prog: str = "python -m experiments.watch") -> int:
    """Watch until stopped, or judge what was recorded; exit code 0, 20 (slower), 21 (cannot tell) or 2."""
    secrets.hide(argv)
    args = _parser(prog).parse_args(argv)
    if (args.gateway_url is None) == (args.recorded is None):
        raise UserError("give --gateway-url, to probe, or --recorded, to judge what users got: one of them")
    if args.gateway_url is not None and args.model is None:
        raise UserError("--gateway-url needs --model: the model name that its engine serves")
    if args.baseline is not None and args.recorded is None:
        raise UserError("--baseline goes with --recorded; a watch by probes keeps its own in --folder")
    if args.learn < 48 * args.every and args.baseline is None:
        raise UserError(
            "--learn: a baseline takes 48 rounds at least; give a longer time, or a shorter --every"
        )
    gateway = None
    if args.gateway_url is not None:
        client_key = secrets.client_key(args.api_key, os.environ)
        gateway = secrets.endpoint("--gateway-url", args.gateway_url, client_key)
    from experiments.jobs import watch

    return watch.run(args, gateway)


def _parser(prog: str) -> argparse.ArgumentParser:
    flags = OneSentenceParser(
        prog=prog,
        description="Is the engine still as fast as it was? Probes through the gateway, or recorded rows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--gateway-url", metavar="URL", help="a gateway to probe through")
    flags.add_argument("--model", metavar="NAME", default=os.environ.get("MODEL") or None, help="to ask for")
    flags.add_argument(
        "--api-key", metavar="KEY",
        help="of the watch's own lane, where the gateway has lanes (default $GATEWAY_API_KEY)",
    )  # fmt: skip
    flags.add_argument("--recorded", type=Path, metavar="DIR", help="what the gateway recorded (RECORD_DIR)")
    flags.add_argument("--follow", action="store_true", help="with --recorded: go on as rows come")
    flags.add_argument("--baseline", type=Path, metavar="FILE", help="with --recorded: one made earlier")
    flags.add_argument(
        "--every", type=_seconds, default=300.0, metavar="TIME", help="length of a round (default 5m)"
    )
    flags.add_argument(
        "--learn", type=_seconds, default=3 * 86_400.0, metavar="TIME",
        help="what makes the baseline (default 72h: days have a rhythm, and none is like the other)",
    )  # fmt: skip
    flags.add_argument(
        "--folder", type=Path, default=Path("runs/watch"), metavar="DIR",
        help="baseline and rounds are kept here (default runs/watch)",
    )  # fmt: skip
    flags.add_argument("--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1")
    flags.add_argument(
        "--metrics-port", type=int, default=METRICS_PORT, metavar="PORT", help=f"default {METRICS_PORT}"
    )
    flags.add_argument(
        "--targets-file", type=Path, metavar="FILE",
        help="name the page to a Prometheus in this file while it runs, such as compose/targets/watch.json",
    )  # fmt: skip
    flags.add_argument("--rounds", type=int, metavar="N", help="end after so many rounds")
    return flags


def _seconds(text: str) -> float:
    try:
        return parse_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    run_command(main)
