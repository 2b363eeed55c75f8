"""The command line of `tune`: its own flags, and every flag of a sweep."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.cli import sweep_args
from experiments.cli.one_sentence import OneSentenceParser
from experiments.cli.sweep_args import SweepOptions
from experiments.errors import UserError
from experiments.spec.durations import parse_s
from loadtests.planning.optional_fields import AnswerLengths

_DESCRIPTION = """Finds the gateway's setting for an objective. A model of the engine, fitted in minutes,
plays the whole matrix in virtual time; the few cells that matter are measured; the setting is chosen from
both, and the report says how wrong the model was. If the model cannot predict a burst that it was not fitted
to, the matrix is measured instead."""

_EXAMPLES = """examples:
  %(prog)s --slo 'ttft<=1s,tpot<=60ms,attainment>=0.95'
  %(prog)s --mix 'chat:0.9,agent-long:0.1' --slo 'ttft<=1s,tpot<=60ms;agent-long:ttft<=20s'
  %(prog)s --load recorded@1.0x,recorded@1.5x --recorded DIR --from 14:00 --to 15:00
  %(prog)s --engine emulator --dry-run        what would be predicted and measured
  %(prog)s --model runs/calibration           a calibration that is there already
  %(prog)s --engine-url http://127.0.0.1:8000 --served-model qwen25-14b --budget 30m
  %(prog)s --gateway-url http://127.0.0.1:8080 --served-model NAME --model profile.json
  %(prog)s --recorded DIR --current MAX_ACTIVE=8 --growth 3%%/week    no engine at all

flags of a sweep (python -m experiments.sweep --help) are taken, too: --slo, --engine, --engine-url,
--gateway-url, --max-active, --queue-max, --queue-timeout, --load, --prompt-tokens, --output-tokens,
--current, --measure, --seed, --out, --dry-run … Where they do not say otherwise the matrix is MAX_ACTIVE 2 to
128 in doubling steps (up to the engine's batch), both queue modes, QUEUE_MAX 8 and 100, the derived
QUEUE_TIMEOUT_S and 10 s, under three loads, one of them above capacity. The start values that follow from
objective and model are always added.

With --recorded DIR and no --load nothing is measured, only learned from the recording:
--from, --to, --current, --slo, --scale, --growth, --max-num-seqs, --max-num-batched-tokens, --kv-tokens, and
lists of limits; %(prog)s --recorded DIR --help tells more.

exit codes: 0 a setting is recommended; 1 something could not be measured; 2 a mistake in the command;
130 Ctrl-C (the same command goes on where it stopped).
"""

_DEFAULTS = {
    "--max-active": "2,4,8,16,32,64,128",
    "--queue-max": "8,100",
    "--queue-timeout": "auto,10",
    "--load": "sustained@0.7x,sustained@1.2x,burst@0.9x",
    "--min-requests": "150",
}
"""Matrix and windows where neither a spec nor a flag gives them."""
_LOADS = ("--load", "--scenario", "--rate")


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """`sweep`: the matrix and the stack. `model`: a calibration, None to make one. `budget_s`: engine time
    for everything, None for a tenth of the grid. `traces`: played for each cell. `matrix_only`: without
    derived start values. `stair_s`, `burst_s`:
    lengths of the calibration's closed loops and of its burst."""

    sweep: SweepOptions
    model: Path | None
    budget_s: float | None
    traces: int
    matrix_only: bool
    stair_s: float
    burst_s: float


def parse(argv: Sequence[str], prog: str = "python -m experiments.tune") -> TuneOptions:
    """The options of this command line; `prog`: what help and mistakes call the command.

    Raises:
        UserError: a value is wrong; the message names it and what is allowed.
    """
    args, rest = _parser(prog).parse_known_args(argv)
    _check(args)
    if args.served_model is not None:
        rest += ["--model", args.served_model]
    has_spec = any(word.split("=")[0] in ("--spec", "--preset") for word in rest)
    given = {word.split("=")[0] for word in rest}
    for flag, value in _DEFAULTS.items():
        if not has_spec and flag not in given and not (flag == "--load" and given & set(_LOADS)):
            rest += [flag, value]
    sweep = sweep_args.parse(rest)
    if len(sweep.spec.engine.values()) > 1:
        raise UserError(
            "tune has one engine and one model of it: measure values of --max-num-seqs and the like with "
            "python -m experiments.sweep"
        )
    if sweep.gateway is not None and sweep.spec.engine.url is None and args.model is None:
        raise UserError(
            "behind --gateway-url the engine cannot be calibrated: give its address with --engine-url, or an "
            "earlier calibration with --model FILE"
        )
    if sweep.spec.load.lengths is AnswerLengths.FREE:
        raise UserError(
            "--lengths free: the model of tune plays planned answer lengths, which are only a bound then; "
            "measure the matrix with python -m experiments.sweep"
        )
    sweep = replace(sweep, command=_command(args, sweep.command))
    return TuneOptions(
        sweep, args.model, args.budget_s, args.traces, args.matrix_only, args.stair_s, args.burst_s
    )


def of_sweep(argv: Sequence[str]) -> list[str]:
    """A sweep's words as `tune` reads them: there `--model` is the calibration, and the model that the engine
    serves is `--served-model`."""
    here = {"--model": "--served-model", "--calibration": "--model"}
    words = []
    for word in argv:
        flag, equals, value = word.partition("=")
        words.append(f"{here.get(flag, flag)}{equals}{value}" if word.startswith("--") else word)
    return words


def _command(args: argparse.Namespace, of_sweep: Sequence[str]) -> tuple[str, ...]:
    """The command as it is stored: every matrix flag written out, no secret in it."""
    own = [("--model", args.model), ("--budget", args.budget_s), ("--traces", args.traces)]
    own += [("--stair-s", args.stair_s), ("--burst-s", args.burst_s)]
    only = ["--matrix-only"] if args.matrix_only else []
    words = only + [str(word) for flag, value in own if value is not None for word in (flag, value)]
    rest = ["--served-model" if word == "--model" else word for word in of_sweep[3:]]
    return ("python", "-m", "experiments.tune", *words, *rest)


def _check(args: argparse.Namespace) -> None:
    for name, least in (("traces", 3), ("stair_s", 0.5), ("burst_s", 2.0)):
        value = getattr(args, name)
        if not value >= least:
            raise UserError(f"--{name.replace('_', '-')} {value:g} must be at least {least:g}")
    if args.model is not None and not args.model.exists():
        raise UserError(
            f"--model {args.model}: there is no such calibration (profile.json, or its folder); the name "
            "of the model that the engine serves goes with --served-model"
        )


def _span(text: str) -> float:
    try:
        return parse_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = OneSentenceParser(
        prog=prog,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="profile.json of a calibration, or its folder (default: calibrate first, three to four minutes)",
    )
    parser.add_argument(
        "--served-model",
        metavar="NAME",
        default=os.environ.get("MODEL") or None,
        help="model that the engine is to serve, or serves (default $MODEL)",
    )
    parser.add_argument(
        "--budget",
        dest="budget_s",
        type=_span,
        metavar="TIME",
        help="engine time for everything, such as 30m (default: a tenth of what the matrix on three traces "
        "would take); what three blocks leave buys up to eight, while settings cannot be told apart",
    )
    parser.add_argument(
        "--traces",
        type=int,
        default=12,
        metavar="N",
        help="traces that the model plays for each cell, each with parameters drawn anew (default 12)",
    )
    parser.add_argument(
        "--matrix-only",
        action="store_true",
        help="without the start values that follow from objective and model: only what the flags name",
    )
    parser.add_argument(
        "--stair-s",
        type=float,
        default=8.0,
        metavar="S",
        help="calibration: length of a closed loop (default 8)",
    )
    parser.add_argument(
        "--burst-s",
        type=float,
        default=20.0,
        metavar="S",
        help="calibration: length of the burst (default 20)",
    )
    return parser
