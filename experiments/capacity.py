"""`python -m experiments.capacity --slo …`: the largest rate that one setting sustains."""

import argparse
from collections.abc import Sequence

from experiments.cli import secrets, sweep_args
from experiments.cli.sweep_args import SweepOptions
from experiments.errors import UserError, run_command

_DEFAULTS = (
    *("--max-active", "16", "--queue-mode", "queue", "--load", "sustained@0.7x"),
    *("--budget", "4m", "--design", "race"),  # a budget is refused beside a grid, which a spec may ask for
)
_EXAMPLES = """examples:
  %(prog)s --slo 'ttft<=1s,tpot<=60ms,attainment>=0.95'
  %(prog)s --max-active 8 --queue-max 32 --budget 10m --precision 5
  %(prog)s --load recorded@1.0x --recorded DIR     how much denser your own traffic may become
  %(prog)s --mix 'short=64x24:0.9@a,long=512x64:0.1@b' --lanes lanes.toml --slot-cost tokens
  %(prog)s --mix 'short=64x24:0.9,long=512x64:0.1' --slo 'ttft<=1s;long:ttft<=5s'
  %(prog)s --unit sessions --workload agent --slo 'ttft<=2s,attainment>=0.9'
  %(prog)s --unit sessions --turns 2 --tool-calls 3 --tool-s 1 --slo 'session<=60s,attainment>=0.9'

All flags of python -m experiments.sweep may be given (one value an axis); --budget bounds the search (4m).
"""


def main(argv: Sequence[str], prog: str = "python -m experiments.capacity") -> int:
    """Search, print the result, keep the run; exit code 0, 2 for a user's mistake, 22 for an objective that
    even the idle engine misses."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The largest sustainable rate of one gateway setting under an SLO.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--precision",
        type=float,
        default=7.0,
        metavar="PERCENT",
        help="half of the 95 %% interval's width, part of the answer, at which the search ends (7)",
    )
    parser.add_argument(
        "--unit",
        choices=("requests", "sessions"),
        default="requests",
        help="what the rate counts, and the share of which has to be good (requests)",
    )
    own, rest = parser.parse_known_args(argv)
    if not 0 < own.precision < 100:
        raise UserError(f"--precision {own.precision:g}: give a percentage above 0 and below 100")
    options = _one_setting(sweep_args.parse([*_DEFAULTS, *rest]))
    command = ("python", "-m", "experiments.capacity", *secrets.without_secrets(argv))
    from experiments.jobs import capacity

    return capacity.run(options, own.precision / 100, command, own.unit)


def _one_setting(options: SweepOptions) -> SweepOptions:
    """The options with the load left to the search.

    Raises:
        UserError: the axes hold more than one setting.
    """
    axes = options.spec.gateway
    for name in ("max_active", "queue_mode", "queue_max", "queue_timeout_s", "queue_order", "slot_cost"):
        values = getattr(axes, name)
        if len(values) != 1:
            raise UserError(f"{name} = {values}: the search takes one setting, so give one value")
    if len(axes.lanes) > 1:
        names = ", ".join(one.name for one in axes.lanes)
        raise UserError(f"lanes = {names}: the search takes one setting, so give one table")
    if len(options.spec.engine.values()) > 1 or len(options.spec.load.workloads) > 1:
        raise UserError("the search takes one engine and one workload, so give one value of each axis")
    return options


if __name__ == "__main__":
    run_command(main)
