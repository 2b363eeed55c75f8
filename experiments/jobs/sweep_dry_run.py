"""What a sweep would measure."""

from __future__ import annotations

from experiments.design import dry_run
from experiments.racing import plan
from experiments.spec.sweep_spec import SweepSpec


def show(spec: SweepSpec) -> str:
    """Cells, or the course of a race, and how long they take."""
    return dry_run.show(spec) if spec.design.is_grid else plan.dry_run(spec)
