"""Predicts settings under loads from a calibration, in virtual time: no engine is needed.

Every cell is played on several arrival traces, each with another draw of the calibrated parameters; what is
printed is the mean and the range that holds a further run with 90 %. Relative loads (0.7x) refer to the
capacity that the model itself predicts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import matrix_flags, run_argument, slo_flag
from experiments.errors import UserError, run_command
from experiments.spec import sweep_spec
from experiments.spec.simulated_traces import SimulatedTraces

_EXAMPLES = """examples:
  %(prog)s --max-active 8,16 --queue-timeout 1s --load sustained@6
  %(prog)s --mix 'short=64x24:0.9,long=512x64:0.1' --slo 'ttft<=1s;long:ttft<=5s'
  %(prog)s --mix 'chat:0.9@a,agent-long:0.1@b' --lanes none,mix --slot-cost requests,tokens
  %(prog)s --model runs/calibration          the matrix of a sweep's defaults
  %(prog)s --spec sweep.toml --traces 400 --slo 'ttft<=1s'
  %(prog)s --what-if runs/X                  settings and loads around that run's, for its report
"""
_DEFAULTS = SimulatedTraces()


def main(argv: Sequence[str], prog: str = "python -m experiments.predict") -> int:
    """Predict, write predictions.json beside the model, print the table.

    Raises:
        UserError: no such model, or arguments that do not parse.
    """
    args = _arguments(argv, prog)
    if not args.model.exists():
        raise UserError(f"--model {args.model}: there is no such calibration (profile.json, or its folder)")
    given = {"gateway": matrix_flags.gateway_values(args), "load": matrix_flags.load_values(args)}
    named = {
        section: {name: value for name, value in values.items() if value is not None}
        for section, values in given.items()
    }
    spec = sweep_spec.with_lanes_of_mix(sweep_spec.load(args.spec, named))
    slo = slo_flag.parsed(args.slo)
    traces = SimulatedTraces(args.traces, args.seconds, args.warm_up_s, spec.load.seed)
    if args.what_if is not None:
        run_argument.require_run(args.what_if)
    from experiments.jobs import predict

    if args.what_if is not None:
        return predict.what_if(args.what_if, args.model, traces)
    return predict.run(args.model, spec, slo, traces)


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
        help="folder of a calibration, or its profile.json (default: %(default)s)",
    )
    parser.add_argument(
        "--what-if",
        type=Path,
        metavar="RUN",
        help="predict around the settings and loads of a measured run, by its objective, and write "
        "what_if.json into its folder: python -m reports RUN then shows it",
    )
    parser.add_argument("--spec", type=Path, help="a sweep's TOML file (default: the sweep's defaults)")
    parser.add_argument("--slo", help="such as ttft<=1s,tpot<=60ms,attainment>=0.95")
    settings = parser.add_argument_group("settings: every combination of these comma-separated lists")
    matrix_flags.add_limits(settings.add_argument)
    matrix_flags.add_lanes(settings.add_argument)
    loads = parser.add_argument_group("loads: each meets every setting")
    matrix_flags.add_rates(loads.add_argument, without="default sustained@0.7x,burst@1.2x")
    matrix_flags.add_workloads(loads.add_argument)
    traces = parser.add_argument_group("traces that each cell is played on")
    traces.add_argument(
        "--traces",
        type=int,
        default=_DEFAULTS.count,
        help="how many; with 19 or more the range holds 90%% of further runs (default: %(default)s)",
    )
    traces.add_argument(
        "--seconds", type=float, default=_DEFAULTS.measure_s, help="measured, s (default: %(default)s)"
    )
    traces.add_argument(
        "--warm-up-s",
        type=float,
        default=_DEFAULTS.warm_up_s,
        help="before that, not counted, s (default: %(default)s)",
    )
    traces.add_argument("--seed", metavar="N", help="of the first trace (default 1)")
    args = parser.parse_args(argv)
    for name in ("traces", "seconds"):
        if getattr(args, name) <= 0:
            raise UserError(f"--{name} {getattr(args, name)} must be above 0")
    return args


if __name__ == "__main__":
    run_command(main)
