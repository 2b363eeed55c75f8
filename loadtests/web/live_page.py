"""What the live page and the LLM tab show of the current run, as declared data.

All of it goes to the browser by `to_json`; `llm.html` reads the fields by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from loadtests.recording.live import LatencyRow
from loadtests.running.series import Point

if TYPE_CHECKING:
    from loadtests.running.lifecycle import Run


@dataclass(frozen=True, slots=True)
class StateRow:
    """One line of the tab "LLM state"; Locust's page needs the name twice."""

    name: str
    what: str
    value: str


@dataclass(frozen=True, slots=True)
class NoRun:
    """Before the first run."""

    state: str = "ready"
    points: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class LivePage:
    """A run, while it goes on and afterwards. state: "running" or "ended"; end_s: when the
    last request is due; findings: at the end, what is to be known of its lengths."""

    state: str
    scenario: str
    rate_per_s: float
    host: str
    model: str
    folder: str
    warm_up_s: float
    end_s: float
    slo: str
    table: Sequence[LatencyRow]
    outcomes: Mapping[str, int]
    planned: int
    recorded: int
    points: Sequence[Point]
    findings: Sequence[str]


def to_json(content: object) -> bytes:
    """Dataclasses, lists and mappings of them as JSON."""
    return orjson.dumps(content)


def live_page(run: Run | None, folder: str = "", after_s: float = -1.0) -> LivePage | NoRun:
    """The page's data. `folder`, `after_s`: which run's points the page has, and up to which second; of that
    run it gets the later ones alone."""
    if run is None:
        return NoRun()
    plan = run.plan.header
    return LivePage(
        state="ended" if run.done.is_set() else "running",
        scenario=plan.scenario,
        rate_per_s=plan.rate_per_s,
        host=run.settings.target.url,
        model=run.settings.model,
        folder=str(run.folder.path),
        warm_up_s=plan.warm_up_s,
        end_s=run.plan.duration_s,
        slo=str(run.settings.slo),
        table=run.live.latencies(),
        outcomes={outcome.value: count for outcome, count in run.live.outcomes.items()},
        planned=run.live.planned,
        recorded=run.live.recorded,
        points=[p for p in _points(run) if p.t_s > after_s or str(run.folder.path) != folder],
        findings=_findings(run),
    )


def state_rows(run: Run | None) -> list[StateRow]:
    """The rows of the tab "LLM state"; none before the first run."""
    if run is None:
        return []
    live, points = run.live, _points(run)
    values: dict[str, float | None] = {
        "requests planned": live.planned,
        "requests due": live.due,
        "requests in flight": live.in_flight,
        **(_last_second(points[-1]) if points else {}),
        **{f"outcome: {outcome}": count for outcome, count in sorted(live.outcomes.items())},
    }
    return [StateRow(name, name, "–" if value is None else f"{value:g}") for name, value in values.items()]


def _last_second(point: Point) -> dict[str, float | None]:
    return {
        "output tokens per second (last 5 s)": point.output_tokens_per_s,
        "gateway: slots in use": point.gateway_active,
        "gateway: waiting": point.gateway_queue,
        "engine: running": point.engine_running,
        "engine: waiting": point.engine_waiting,
    }


def _findings(run: Run) -> list[str]:
    lengths = run.ended.lengths if run.ended is not None else None
    return [finding.text for finding in lengths.findings] if lengths is not None else []


def _points(run: Run) -> list[Point]:
    return list(run.series.points) if run.series is not None else []
