"""`python -m experiments.sweep`: measure a matrix of gateway settings under load, recommend one, write the
report."""

from collections.abc import Sequence

from experiments.cli.sweep_args import parse
from experiments.cli.tune_args import of_sweep
from experiments.cli.tune_args import parse as parse_tune
from experiments.errors import run_command


def main(argv: Sequence[str], prog: str = "python -m experiments.sweep") -> int:
    """The whole sweep; exit code 0, 1 when a cell could not be measured, 2 for a user's mistake, 3 when
    too much was disturbed to decide."""
    options = parse(argv, prog)
    if options.spec.design.is_model:
        tune_options = parse_tune(of_sweep(argv), prog)
        from experiments.tuning import command

        return command.run(tune_options)
    if options.dry_run:
        from experiments.jobs import sweep_dry_run

        print(sweep_dry_run.show(options.spec))
        return 0
    from experiments.jobs import sweep

    return sweep.run(options)


if __name__ == "__main__":
    run_command(main)
