"""`python -m experiments.tune --slo …`: a sweep by the design `model`. Predict the whole matrix, measure
the few cells that matter, choose; with --recorded DIR from what a gateway recorded, without an engine."""

from collections.abc import Sequence

from experiments.cli import learn_args
from experiments.cli.tune_args import parse
from experiments.errors import run_command


def main(argv: Sequence[str], prog: str = "python -m experiments.tune") -> int:
    """The whole of it; exit code 0, 1 when something could not be measured, 2 for a user's mistake."""
    if learn_args.is_asked(argv):
        return _learn(argv, prog)
    options = parse(argv, prog)
    from experiments.tuning import command

    return command.run(options)


def _learn(argv: Sequence[str], prog: str) -> int:
    """Without an engine, from what a gateway recorded."""
    options = learn_args.parse(argv, prog)
    from experiments.jobs import learn

    return learn.run(options)


if __name__ == "__main__":
    run_command(main)
