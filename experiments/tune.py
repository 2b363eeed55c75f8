"""`python -m experiments.tune --slo …`: a sweep by the design `model`. Predict the whole matrix, measure
the few cells that matter, choose."""

from collections.abc import Sequence

from experiments.cli.tune_args import parse
from experiments.errors import run_command


def main(argv: Sequence[str], prog: str = "python -m experiments.tune") -> int:
    """The whole of it; exit code 0, 1 when something could not be measured, 2 for a user's mistake."""
    options = parse(argv, prog)
    from experiments.tuning import command

    return command.run(options)


if __name__ == "__main__":
    run_command(main)
