"""Predicts a whole matrix of settings and loads from a calibration, in virtual time: no engine is needed.

Every cell is played on several arrival traces, each with another draw of the calibrated parameters; what is
printed is the mean and the 5–95 % range of single runs. Relative loads (0.7x) refer to the capacity that
the model itself predicts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import slo_flag
from experiments.errors import UserError, run_command

_EXAMPLES = """examples:
  %(prog)s --model runs/calibration
  %(prog)s --mix 'short=64x24:0.9,long=512x64:0.1' --slo 'ttft<=1s;long:ttft<=5s'
  %(prog)s --model runs/calibration --spec sweep.toml --traces 400 --slo 'ttft<=1s'
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.predict") -> int:
    """Predict, write predictions.json beside the model, print the table.

    Raises:
        UserError: no such model, or arguments that do not parse.
    """
    args = _arguments(argv, prog)
    from experiments.spec import sweep_spec

    if not args.model.exists():
        raise UserError(f"--model {args.model}: there is no such calibration (profile.json, or its folder)")
    slo = slo_flag.parsed(args.slo)
    spec = sweep_spec.load(args.spec, {} if args.mix is None else {"load": {"mix": args.mix}})
    from experiments.jobs import predict

    return predict.run(args, spec, slo)


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("runs/calibration"),
        help="folder of a calibration (default: %(default)s)",
    )
    parser.add_argument("--spec", type=Path, help="a sweep's TOML file (default: the sweep's defaults)")
    parser.add_argument("--slo", help="such as ttft<=1s,tpot<=60ms,attainment>=0.95")
    parser.add_argument(
        "--mix",
        metavar="CLASSES",
        help="load classes in place of one workload, such as chat:0.9,agent-long:0.1",
    )
    parser.add_argument(
        "--traces",
        type=int,
        default=100,
        help="arrival traces a cell; the range of 20 holds but 82%% of further runs (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="measured window of a trace, s (default: %(default)s)"
    )
    parser.add_argument(
        "--warm-up-s", type=float, default=20.0, help="before it, not counted, s (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    for name in ("traces", "seconds"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name} {getattr(args, name)} must be above 0")
    return args


if __name__ == "__main__":
    run_command(main)
