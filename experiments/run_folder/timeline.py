"""Where the wall time of a sweep went: warm-up, measured window, drain, and what lies between cells."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a cell's phases began, Unix seconds: warm-up, measured window, drain, and when its last request
    ended."""

    warm_up_unix_s: float
    measure_unix_s: float
    drain_unix_s: float
    ended_unix_s: float

    def to_json(self) -> dict[str, float]:
        """As stored in the journal with `cell_done`."""
        return {name: round(value, 3) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, event: Mapping[str, Any]) -> "Timeline":
        """The inverse of `to_json`; other keys are left alone."""
        return cls(*(float(event[name]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class WallTime:
    """Seconds of one series of cells, from the first's warm-up to the last one's end. `between_s`: from the
    last request of a cell to the begin of the next one's warm-up, one value a gap."""

    cells: int
    warm_up_s: float
    measure_s: float
    drain_s: float
    between_s: tuple[float, ...]

    @property
    def measured_ratio(self) -> float:
        """Part of the wall time that is measured window, warm-up and drain aside; 0 to 1."""
        whole_s = self.measure_s + sum(self.between_s)
        return self.measure_s / whole_s if whole_s else 0.0

    def to_json(self) -> dict[str, Any]:
        """For a report or a benchmark."""
        between = sorted(self.between_s)
        return {
            **asdict(self),
            "between_s": {
                "median": between[len(between) // 2] if between else None,
                "max": between[-1] if between else None,
                "sum": sum(between),
            },
            "measured_ratio": self.measured_ratio,
        }


def wall_time(events: Iterable[Mapping[str, Any]]) -> WallTime:
    """Of a journal's events. Cells that were repeated or resumed count as they were measured; a gap that
    holds something else than the switch of the limits is left out: a resumed sweep, a restart of the
    engine."""
    runs: list[list[Timeline]] = [[]]
    for event in events:
        if event["event"] in ("stack_ready", "engine_ready", "cell_failed"):
            runs.append([])
        elif event["event"] == "cell_done" and "measure_unix_s" in event:
            runs[-1].append(Timeline.from_json(event))
    cells = [cell for run in runs for cell in run]
    gaps = [later.warm_up_unix_s - earlier.ended_unix_s for run in runs for earlier, later in pairwise(run)]
    return WallTime(
        cells=len(cells),
        warm_up_s=sum(cell.measure_unix_s - cell.warm_up_unix_s for cell in cells),
        measure_s=sum(cell.drain_unix_s - cell.measure_unix_s for cell in cells),
        drain_s=sum(cell.ended_unix_s - cell.drain_unix_s for cell in cells),
        between_s=tuple(gaps),
    )
