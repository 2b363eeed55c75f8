"""What a dashboard is made of: queries, panels, rows, variables. Plain data; `render` makes it JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROUTES = "chat|completions|responses|messages|embeddings|rerank|score"
"""Of the gateway: those whose requests take slots."""
Kind = Literal["timeseries", "stat", "heatmap", "alertlist"]
Unit = Literal[
    "short",
    "percentunit",
    "s",
    "reqps",
    "ops",
    "bytes",
    "mbytes",
    "celsius",
    "watt",
    "hertz",
    "bool_on_off",
    "Bps",
]
"""Grafana's names: `percentunit` shows 0–1 as percent, `mbytes` is MiB, `reqps` and `ops` are "a second"."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` is Grafana's `{{label}}` format."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `value` (in the panel's unit) upwards, a stat is shown in `color`."""

    value: float
    color: Literal["yellow", "orange", "red"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `description` says what is seen and what it means; `width` in Grafana's 24 columns."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    stacked: bool = False
    top: float | None = None
    """The upper end of the axis, where one belongs to the quantity (1 for a ratio)."""
    steps: bool = False
    """Draw as steps: for limits, which jump."""
    thresholds: tuple[Threshold, ...] = ()
    named: bool = False
    """A stat that shows its legend, not its value."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a common heading, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard: the values of `label` on the series `metric`; "All" is preset."""

    name: str
    label: str
    metric: str
    title: str


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. `uid` is part of its address and never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    runs_as_annotations: bool = False
    """Show the cells of a sweep, which a sweep writes as annotations tagged `headroom`."""

    def panels(self) -> tuple[Panel, ...]:
        """All panels, row by row."""
        return tuple(panel for row in self.rows for panel in row.panels)


def instance() -> Variable:
    """Which gateway."""
    return Variable("instance", "instance", "gateway_active_limit", "Gateway")


def run() -> Variable:
    """Which run of the load generator."""
    return Variable("run", "run", "loadgen_run_info", "Run")


def model() -> Variable:
    """Which model of which engine; "All" is also the engines that name none (llama.cpp, TGI)."""
    return Variable("model", "model_name", "engine:running", "Model")
