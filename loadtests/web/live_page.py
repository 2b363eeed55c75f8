"""What the live page and the LLM tab show of the current run, as declared data.

All of it goes to the browser by `to_json`; the scripts in `page/` read the fields by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import orjson

from loadtests.recording.numbers import LatencyRow, Numbers, rows
from loadtests.running.series import Point
from loadtests.running.workers import WorkersSeen

if TYPE_CHECKING:
    from loadtests.running.lifecycle import Run


@dataclass(frozen=True, slots=True)
class StateRow:
    """One line of the tab "LLM state"; Locust's page needs the name twice."""

    name: str
    what: str
    value: str


class PageState(StrEnum):
    """Where the newest run is."""

    READY = "ready"
    """there was none yet"""
    RUNNING = "running"
    ENDING = "ending"
    """every request has its record; load.json is being written"""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NoRun:
    """Before the first run. workers: those there; none where this process sends by itself."""

    workers: WorkersSeen | None = None
    state: PageState = PageState.READY
    points: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class LivePage:
    """A run, while it goes on and afterwards.

    end_s: when the last request is due. numbers: the measured phase so far; in the end as load.json has it.
    table: its latencies in words. outcomes, planned, recorded: over every phase. points: one a second, those
    from `first_point` on. workers: None where this process sends by itself.
    """

    state: PageState
    scenario: str
    rate_per_s: float
    host: str
    model: str
    folder: str
    warm_up_s: float
    end_s: float
    numbers: Numbers | None
    table: Sequence[LatencyRow]
    outcomes: Mapping[str, int]
    planned: int
    recorded: int
    in_flight: int
    workers: WorkersSeen | None
    first_point: int
    points: Sequence[Point]


def to_json(content: object) -> bytes:
    """Dataclasses, lists and mappings of them as JSON."""
    return orjson.dumps(content)


def live_page(run: Run | None, workers: WorkersSeen | None, first_point: int = 0) -> LivePage | NoRun:
    """The page's data; of the points those from number `first_point` on."""
    if run is None:
        return NoRun(workers)
    plan, live, numbers = run.plan.header, run.live, run.numbers()
    first_point, points = run.series.since(first_point) if run.series is not None else (0, [])
    return LivePage(
        state=_state(run),
        scenario=plan.scenario,
        rate_per_s=plan.rate_per_s,
        host=run.settings.target.url,
        model=run.settings.model,
        folder=str(run.folder.path),
        warm_up_s=plan.warm_up_s,
        end_s=run.plan.duration_s,
        numbers=numbers,
        table=rows(numbers.summary) if numbers is not None else (),
        outcomes={outcome.value: count for outcome, count in live.outcomes.items()},
        planned=live.planned,
        recorded=live.recorded,
        in_flight=live.in_flight,
        workers=workers,
        first_point=first_point,
        points=points,
    )


def latency_rows(run: Run | None) -> Sequence[LatencyRow]:
    """The rows of the tab "LLM": the measured phase so far; none before the first run."""
    numbers = None if run is None else run.numbers()
    return [] if numbers is None else rows(numbers.summary)


def _state(run: Run) -> PageState:
    if run.ended is not None:
        return PageState.ENDED
    return PageState.ENDING if run.done.is_set() else PageState.RUNNING


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
        "output tokens per second (last 5 s)": point.last.output_tokens_per_s,
        "gateway: slots in use": point.gateway_active,
        "gateway: waiting": point.gateway_queue,
        "engine: running": point.engine_running,
        "engine: waiting": point.engine_waiting,
    }


def _points(run: Run) -> list[Point]:
    return run.series.since(0)[1] if run.series is not None else []
