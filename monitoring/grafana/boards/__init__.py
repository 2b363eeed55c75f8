"""The six dashboards, one module each."""

from __future__ import annotations

from monitoring.grafana.boards import capacity, experiment, gateway, infrastructure, llm, overview
from monitoring.grafana.model import Board


def every() -> tuple[Board, ...]:
    """All dashboards, in the order in which one looks at them."""
    return (
        overview.board(),
        gateway.board(),
        capacity.board(),
        llm.board(),
        infrastructure.board(),
        experiment.board(),
    )
