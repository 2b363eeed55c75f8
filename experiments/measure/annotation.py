"""A measured cell as one line on a dashboard."""

from __future__ import annotations

from experiments.observe.grafana import Annotations
from experiments.run_folder.cell_summary import CellSummary
from gateway.limits import QueueMode


def annotate(annotations: Annotations, summary: CellSummary) -> None:
    """Mark the cell on the dashboards, from its first arrival to its last."""
    window = summary.window
    annotations.cell(window.started_unix_s, window.started_unix_s + window.end_s, text(summary))


def text(summary: CellSummary) -> str:
    """Setting and load, and what came of it."""
    words = [f"{summary.workload.scenario} at {summary.workload.rate_per_s:.2f} requests/s"]
    rates = summary.rates
    if rates is not None and rates.goodput_per_s is not None and summary.attainment is not None:
        words += [f"goodput {rates.goodput_per_s:.2f}/s", f"attainment {summary.attainment:.0%}"]
    line = f"{_setting(summary)}: {', '.join(words)}"
    invalid = [doubt.code for doubt in summary.doubts if doubt.code in summary.invalid_codes]
    return f"{line}; INVALID: {', '.join(invalid)}" if invalid else line


def _setting(summary: CellSummary) -> str:
    assert summary.setting is not None, "a cell of a sweep has a setting"
    limits = summary.setting.limits
    if limits.queue_mode is QueueMode.REJECT:
        return f"MAX_ACTIVE {limits.max_active}, reject"
    return (
        f"MAX_ACTIVE {limits.max_active}, queue {limits.queue_max}, {limits.queue_timeout_s:g} s, "
        f"{limits.queue_order}"
    )
