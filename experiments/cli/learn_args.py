"""The command line of `tune --recorded`: no engine, only what a gateway recorded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from experiments.cli import current_setting, matrix_flags, recorded_flags, slo_flag
from experiments.cli.one_sentence import OneSentenceParser
from experiments.errors import UserError
from experiments.spec import sweep_spec
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from gateway.settings import LiveSettings
from loadtests.slo import SLO
from loadtests.traffic.when import Times

_DESCRIPTION = """What other settings would do to your own traffic, learned from what the gateway recorded: no
engine is used, nothing is sent. A model of the engine is fitted to the recorded answers; settings are played
on further periods like the recorded one; what is printed is what is expected of each, with 90 % ranges, the
setting to choose or why that cannot be told, and what it would cost to measure it."""
_EXAMPLES = """examples:
  %(prog)s --recorded /var/lib/headroom/recording --current MAX_ACTIVE=8,QUEUE_MAX=100,QUEUE_TIMEOUT_S=5
  %(prog)s --recorded DIR --from 2026-11-23 --to 2026-11-30 --current MAX_ACTIVE=8 --slo 'ttft<=1s,tpot<=60ms'
  %(prog)s --recorded DIR --current MAX_ACTIVE=8 --scale 1.5 --growth 3%%/week

With --load the recording is measured on an engine instead: %(prog)s --load recorded@1.0x --recorded DIR.

exit codes: 0 something could be said; 2 a mistake in the command, or the recording holds too little (said
why). """
_LOADS = ("--load", "--rate", "--scenario")


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """`matrix`: settings that were asked for, None for those around the present one. `scales`: multiples of
    the traffic, beside 1. `growth`: as typed."""

    folder: Path
    times: Times
    present: Setting
    slo: SLO
    matrix: SweepSpec | None
    max_num_seqs: int | None
    max_num_batched_tokens: int
    kv_tokens: int | None
    scales: tuple[float, ...]
    growth: str | None
    out: Path
    seed: int


def is_asked(argv: Sequence[str]) -> bool:
    """Whether this command line of `tune` wants to learn from a recording, not to measure it."""
    words = {word.split("=")[0] for word in argv}
    return "--recorded" in words and not words & set(_LOADS)


def parse(argv: Sequence[str], prog: str) -> LearnOptions:
    """The options.

    Raises:
        UserError: a value is wrong, or it is not said what setting is in force.
    """
    args = _parser(prog).parse_args(argv)
    recorded_flags.check_bounds(args)
    slo = slo_flag.parsed(args.slo)
    assert slo is not None
    if slo.classes:
        raise UserError("--slo: a recording has no load classes, so give one objective for all requests")
    given = {name: value for name, value in matrix_flags.limit_values(args).items() if value is not None}
    return LearnOptions(
        folder=args.recorded,
        times=recorded_flags.times(args),
        present=_present(args.current),
        slo=slo,
        matrix=sweep_spec.load(None, {"gateway": given}) if given else None,
        max_num_seqs=args.max_num_seqs,
        max_num_batched_tokens=args.max_num_batched_tokens,
        kv_tokens=args.kv_tokens,
        scales=_scales(args.scale),
        growth=args.growth,
        out=args.out,
        seed=args.seed,
    )


def _present(text: str | None) -> Setting:
    values = current_setting.given(text, os.environ)
    if "max_active" not in values:
        raise UserError(
            "--current: say what was in force, such as MAX_ACTIVE=8,QUEUE_MAX=100,QUEUE_TIMEOUT_S=5; "
            "a recording does not hold it"
        )
    try:
        return Setting(LiveSettings.model_validate(values).limits())
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--current {str(first['loc'][0]).upper()}: {first['msg']}") from None


def _scales(text: str | None) -> tuple[float, ...]:
    found = []
    for part in (text or "").split(","):
        if part.strip():
            try:
                value = float(part.strip().removesuffix("x"))
            except ValueError:
                value = 0.0
            if not 0.05 <= value <= 10:
                raise UserError(
                    f"--scale {part.strip()!r}: give multiples of the traffic from 0.05 to 10, such as 1.5"
                )
            found.append(value)
    return tuple(found)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = OneSentenceParser(
        prog=prog, description=_DESCRIPTION, epilog=_EXAMPLES, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    recorded_flags.add_recording(parser)
    parser.add_argument(
        "--slo",
        default="ttft<=1s,tpot<=60ms,attainment>=0.95",
        metavar="SLO",
        help="objective (default: %(default)s)",
    )
    parser.add_argument(
        "--current",
        metavar="SETTING",
        help="what was in force, such as MAX_ACTIVE=4,QUEUE_MAX=50 (default: the environment's)",
    )
    parser.add_argument("--scale", metavar="LIST", help="and at so many times the traffic, such as 1.5")
    parser.add_argument(
        "--growth",
        metavar="RATE",
        help="say until when the box lasts where traffic grows so, such as 3%%/week",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/learned"), help="folder (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    recorded_flags.add_bounds(parser)
    settings = parser.add_argument_group(
        "settings: every combination of these lists (default: around the present)"
    )
    matrix_flags.add_limits(settings.add_argument)
    return parser
