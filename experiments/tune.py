"""`python -m experiments.tune --slo …`: a sweep by the design `model`. Predict the whole matrix, measure
the few cells that matter, choose."""

from experiments.errors import run_command
from experiments.tuning.command import main

__all__ = ["main"]

if __name__ == "__main__":
    run_command(main)
