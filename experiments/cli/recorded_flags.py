"""The flags of commands that learn from what a gateway recorded."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.errors import UserError
from loadtests.traffic.segments import TrafficError
from loadtests.traffic.when import Times


def add_recording(parser: argparse.ArgumentParser) -> None:
    """--recorded, --from and --to."""
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="DIR",
        help="folder of a gateway's recording (its RECORD_DIR); no engine is used",
    )
    for flag, end in (("--from", "begin"), ("--to", "end")):
        parser.add_argument(
            flag,
            dest=f"recorded_{flag[2:]}",
            default="",
            metavar="TIME",
            help=f"{end} of what is read: 2026-11-30T14:05 (UTC), 14:05, or 10m after its first request",
        )


def add_bounds(parser: argparse.ArgumentParser) -> None:
    """What the engine was started with, which no recording holds."""
    group = parser.add_argument_group("with --recorded: what the engine was started with")
    group.add_argument(
        "--max-num-seqs",
        type=int,
        metavar="N",
        help="its largest batch, sequences (default 256, as vLLM has it)",
    )
    group.add_argument(
        "--max-num-batched-tokens",
        type=int,
        default=2048,
        metavar="N",
        help="tokens of a step (default: %(default)s)",
    )
    group.add_argument(
        "--kv-tokens", type=int, metavar="N", help="tokens that its KV cache holds (default: it never fills)"
    )


def times(args: argparse.Namespace) -> Times:
    """From when to when. Raises UserError for what is no time."""
    try:
        return Times(args.recorded_from, args.recorded_to)
    except TrafficError as error:
        raise UserError(str(error)) from None


def check_bounds(args: argparse.Namespace) -> None:
    """Raises UserError for a bound that is none."""
    for name in ("max_num_seqs", "max_num_batched_tokens", "kv_tokens"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value} must be at least 1")
