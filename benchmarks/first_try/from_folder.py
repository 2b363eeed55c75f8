"""What a run folder says of its sweep. It is read as plain JSON: lines of several versions stand side by
side, so nothing here may depend on the types of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]
DISTURBED = "disturbed"
"""The code of a doubt: the run says of a cell that it was."""
_SAID = frozenset(
    {"max_active", "queue_mode", "queue_max", "queue_timeout_s", "queue_order", "request_timeout_s"}
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a cell: its id, its summary, and whether it counts."""

    id: str
    summary: Json
    kept: bool


@dataclass(frozen=True, slots=True)
class Names:
    """What settings are called so that runs can be compared: a queue timeout that the run derived from its
    probe is called by its rank among the run's timeouts, and not at all where there is one."""

    timeouts_s: tuple[float, ...]

    @classmethod
    def of_run(cls, run: Json) -> Names:
        """From run.json."""
        cells = [cell for cell in run.get("cells", ()) if not cell.get("sentinel")]
        settings = [cell["setting"] for cell in cells if cell.get("setting")]
        queued = {one["queue_timeout_s"] for one in settings if one["queue_mode"] == "queue"}
        return cls(tuple(sorted(queued)))

    def name(self, setting: Json) -> str:
        """Such as `ma16-q100`, `ma8-q4-t2` or `ma16-reject`."""
        words = [f"ma{setting['max_active']}"]
        if setting["queue_mode"] == "reject":
            words.append("reject")
        else:
            words.append(f"q{setting['queue_max']}")
            if len(self.timeouts_s) > 1 and setting["queue_timeout_s"] in self.timeouts_s:
                words.append(f"t{self.timeouts_s.index(setting['queue_timeout_s']) + 1}")
            if setting.get("queue_order", "fifo") != "fifo":
                words.append(setting["queue_order"])
        given = {
            **setting,
            "slot_cost": None if setting.get("slot_cost") == "requests" else setting.get("slot_cost"),
        }
        others = sorted(name for name, value in given.items() if name not in _SAID and value is not None)
        return "-".join([*words, *(f"{name}={setting[name]}" for name in others)])


def read(path: Path) -> Json:
    """The JSON object in a file; empty where there is none."""
    found: Json = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def measurements(run: Path) -> Iterator[Measured]:
    """Every measurement of a cell of the matrix: those that count, then those that were set aside."""
    for path in sorted(run.glob("cells/[!.]*/summary.json")):
        yield from _of_matrix(Measured(path.parent.name, read(path), kept=True))
    for path in sorted(run.glob("aborted/*/summary.json")):
        yield from _of_matrix(Measured(path.parent.name.rpartition(".")[0], read(path), kept=False))


def is_flagged(summary: Json) -> bool:
    """Whether the run says that it was disturbed."""
    return DISTURBED in doubts(summary)


def doubts(summary: Json) -> tuple[str, ...]:
    """Codes, sorted."""
    return tuple(sorted({doubt["code"] for doubt in summary.get("doubts") or ()}))


def index(summary: Json) -> float | None:
    """The engine's speed index over the window; None where there is none, and in versions without."""
    found = ((summary.get("speed") or {}).get("over_window") or {}).get("index")
    return float(found) if found is not None else None


def window(summary: Json) -> tuple[float, float]:
    """The measured window, Unix seconds."""
    found = summary["window"]
    began_s = found["started_unix_s"]
    return began_s + found["start_s"], began_s + found["end_s"]


def _of_matrix(cell: Measured) -> Iterator[Measured]:
    if not cell.summary.get("sentinel") and cell.summary.get("setting"):
        yield cell
