"""The flags of commands that have an engine of their own, or are told where one is."""

from __future__ import annotations

import argparse
import os

from experiments.cli import secrets
from experiments.stack.providers import known
from experiments.stack.providers.emulator import EMULATOR
from experiments.stack.providers.external import EXTERNAL

AUTO, HERE, ELSEWHERE = known.AUTO, EMULATOR.name, EXTERNAL.name
"""Values of --engine: what this machine has, the emulator, and whatever runs behind a URL."""


def add(parser: argparse.ArgumentParser, default: str) -> None:
    """Add them; `default`: of --engine."""
    parser.add_argument(
        "--engine",
        default=default,
        choices=known.CHOICES,
        metavar="NAME",
        help=f"{', '.join(known.CHOICES)} (default: %(default)s)",
    )
    parser.add_argument("--engine-url", help="an engine that is already running, without /v1")
    secrets.add_engine_key(parser, os.environ)
    parser.add_argument("--model", help="the model that the engine is to serve")
    parser.add_argument("--profile", default="tiny-cpu", help="timing of the emulator (default: %(default)s)")


def settle(args: argparse.Namespace) -> None:
    """Give the flags `at`: where --engine-url says that the engine is, None without. Raises UserError."""
    given = args.engine_url
    args.at = secrets.engine(given, args.upstream_api_key, os.environ) if given else None
