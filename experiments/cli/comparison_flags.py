"""What `compare` and `gate` have in common."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags of both."""
    parser.add_argument("--slo", help="judge both runs under this SLO instead of the baseline's own")
    parser.add_argument(
        "--delta", type=percent, metavar="PERCENT",
        help="changes within ± this do not matter (default: 3)",
    )  # fmt: skip
    parser.add_argument("--anyway", action="store_true", help="compare runs that are not the same experiment")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the Markdown to FILE")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML to FILE")


def percent(text: str) -> float:
    """A percentage above 0 and below 100, with or without its sign."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"{text!r}: give a percentage above 0 and below 100, such as 3")
    return value
