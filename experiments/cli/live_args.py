"""The command line of `compare --live A B`: how a side is spelled, and the flags of a sweep for both."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.cli import comparison_flags, matrix_flags, secrets
from experiments.cli.one_sentence import OneSentenceParser
from experiments.cli.sweep_args import SweepOptions
from experiments.cli.sweep_args import parse as parse_sweep
from experiments.errors import UserError
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.live_run import LiveWay
from experiments.spec.design_kind import DesignKind
from experiments.spec.durations import parse_s
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import NAMES as ENGINE_KEYS
from experiments.stack.engine_knobs import flag_of
from experiments.stack.providers import known
from gateway.limits import LIMIT_NAMES

AS_IS = "as-is"
BLOCKS = 8
"""At most, without --blocks."""
_EXAMPLES = """examples:
  %(prog)s --live http://127.0.0.1:8000 http://127.0.0.1:8001 --model qwen --rate 1.1x
  %(prog)s --live max_num_seqs=16 max_num_seqs=32 --engine vllm --blocks 8 --budget 40m
  %(prog)s --live max_active=8 max_active=16,queue_timeout=2s --engine-url http://127.0.0.1:8000

A side is one address of an engine, a name of an engine, or NAME=VALUE of the gateway's limits and the
engine's flags, several with commas between; "as-is" changes nothing. All flags of a sweep may follow, and
hold for both sides; without a load both get 1.2 times the capacity of A, where the goodput follows the speed
of the engine. Blocks are kept as they come: the same command given again goes on, with more --blocks also
after a verdict.

exit code: 0 equal within the margin or better, 20 worse, 21 it cannot be told within --blocks and --budget
"""
_ONCE = ("--load", "--rate", "--scenario", "--spec", "--preset")
_SLOTS = ("--max-active", "--spec", "--preset")


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Both sides as sweeps of one setting at one load, and when it is enough. `delta`: part of A;
    `budget_s`: None without one; `together`: both engines are up, also where they are started here."""

    a: SweepOptions
    b: SweepOptions
    words: tuple[str, str]
    folder: Path
    way: LiveWay
    metric: BlockMetric
    blocks: int
    budget_s: float | None
    delta: float
    command: tuple[str, ...]


def parse(argv: Sequence[str], prog: str) -> LiveOptions:
    """The options of this command line.

    Raises:
        UserError: a value is wrong; the message names it and what is allowed.
    """
    secrets.hide(argv)
    args, common = _parser(prog).parse_known_args(argv)
    a, b = (_side(word, common, prog) for word in args.live)
    way = _way(a, b, together=args.together)
    command = ("python", "-m", "experiments.compare", *secrets.without_secrets(argv))
    return LiveOptions(
        a=replace(a, command=command),
        b=replace(b, command=command),
        words=(args.live[0], args.live[1]),
        folder=_folder(a, b, way, args.metric),
        way=way,
        metric=BlockMetric(args.metric),
        blocks=args.blocks,
        budget_s=args.budget,
        delta=args.delta / 100,
        command=command,
    )


def side_flags(word: str) -> list[str]:
    """The flags of a sweep that a side stands for: `max_num_seqs=8` is `--max-num-seqs 8`.

    Raises:
        UserError: it names nothing that a side can differ in.
    """
    flags: list[str] = []
    limits = {name: matrix_flags.limit_flag(name) for name in LIMIT_NAMES}
    limits |= {name.removesuffix("_s"): flag for name, flag in limits.items()}
    names = {**limits, **{name: flag_of(name) for name in ENGINE_KEYS}, "model": "--model"}
    for part in (part.strip() for part in word.split(",")):
        name, equals, value = part.partition("=")
        key = name.strip().lower().replace("-", "_")
        if part.startswith(("http://", "https://")):
            flags += ["--engine-url", part]
        elif part in known.SWEEP_CHOICES:
            flags += ["--engine", part]
        elif equals and key in names and value.strip():
            flags += [names[key], value.strip()]
        elif part != AS_IS:
            raise UserError(
                f"--live {word!r}: {part!r} is no side; give an engine's address, one of "
                f"{', '.join(known.SWEEP_CHOICES)}, {AS_IS}, or NAME=VALUE with a name of "
                f"{', '.join(sorted(names))}"
            )
    return flags


def _parser(prog: str) -> argparse.ArgumentParser:
    flags = OneSentenceParser(
        prog=prog,
        description="Compare two engines or settings while both are there: blocks on the same arrivals, in "
        "turn.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--live", nargs=2, metavar=("A", "B"), required=True, help="the baseline, the other")
    flags.add_argument(
        "--metric", choices=[metric.value for metric in BlockMetric], default=BlockMetric.GOODPUT.value,
        help="what the verdict is made of (default goodput); the others are shown",
    )  # fmt: skip
    flags.add_argument(
        "--blocks", type=_blocks, default=BLOCKS, metavar="N",
        help=f"pairs of blocks at most (default {BLOCKS}); looked at after 3, 5, 8, 12, 18, 27 …",
    )  # fmt: skip
    flags.add_argument(
        "--budget", type=_seconds, metavar="TIME", help="no block is begun that would end after this time"
    )
    flags.add_argument(
        "--delta", type=comparison_flags.percent, default=3.0, metavar="PERCENT",
        help="changes within ± this do not matter (default: 3)",
    )  # fmt: skip
    flags.add_argument(
        "--together", action="store_true",
        help="keep both engines up, also where they are started here (default: each block starts its own)",
    )  # fmt: skip
    return flags


def _side(word: str, common: Sequence[str], prog: str) -> SweepOptions:
    """A side as a sweep of one cell a block."""
    given = {flag.partition("=")[0] for flag in common}
    first: list[str] = []
    if not given & set(_ONCE):
        first += ["--load", "sustained@1.2x"]
    if not given & set(_SLOTS):
        first += ["--max-active", "16"]
    if not given & {"--queue-mode", "--spec", "--preset"}:
        first += ["--queue-mode", "queue"]
    if not given & {"--min-requests", "--measure", "--spec", "--preset"}:
        first += ["--min-requests", "300"]
    options = parse_sweep([*first, *common, *side_flags(word)], prog)
    design = options.spec.design.model_copy(
        update={"kind": DesignKind.GRID, "blocks": 1, "budget_s": None, "sentinel": False}
    )
    spec = options.spec.model_copy(update={"design": design})
    _check_one(word, spec)
    return replace(options, spec=spec)


def _check_one(word: str, spec: SweepSpec) -> None:
    lists = {name: getattr(spec.gateway, name) for name in LIMIT_NAMES}
    lists |= {name: getattr(spec.engine, name) for name in ENGINE_KEYS}
    lists |= {"load": spec.load.loads, "workload": spec.load.workloads}
    for name, values in lists.items():
        if isinstance(values, tuple) and len(values) > 1:
            raise UserError(
                f"--live {word}: {name} has {len(values)} values ({', '.join(map(str, values))}); a side has "
                "one"
            )


def _way(of_a: SweepOptions, of_b: SweepOptions, *, together: bool) -> LiveWay:
    a, b = of_a.spec, of_b.spec
    same_engine = a.engine == b.engine and of_a.engine == of_b.engine and of_a.gateway == of_b.gateway
    if same_engine:
        return LiveWay.ONE_ENGINE
    if of_a.gateway is not None or known.COMPOSE in (a.engine.provider, b.engine.provider):
        raise UserError(
            "one gateway has one engine: leave --gateway-url and --engine compose out to compare two "
            "engines, or compare two of its limits"
        )
    elsewhere = of_a.engine is not None and of_b.engine is not None
    return LiveWay.AT_ONCE if together or elsewhere else LiveWay.IN_TURN


def _folder(a: SweepOptions, b: SweepOptions, way: LiveWay, metric: str) -> Path:
    """The same for the same command, so that it goes on; a new one with --fresh."""
    if a.out is not None:
        return a.out
    asked = f"{a.spec.digest()} {b.spec.digest()} {way} {metric}"
    name = f"live-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    return a.runs / (f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}" if a.fresh else name)


def _blocks(text: str) -> int:
    if not text.isdigit() or not 3 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of blocks from 3 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return parse_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
