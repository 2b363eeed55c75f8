"""What a gateway would have recorded of it, in the files that it writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson

from gateway import record_row
from tests.reports.explaining.world import Played, Traffic, World

_HOUR_S = 3600.0
_STATUS = {"ok": 200, "client_abort": 499, "upstream_error": 502}
_READ = ("ok", "client_abort", "queue_timeout", "upstream_error", "upstream_timeout")


def write(folder: Path, world: World, traffic: Traffic, played: Played, zero_unix_s: float) -> int:
    """Segments of an hour each; the number of rows. A row is written when it ends, and so are they here."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(world, traffic, played, zero_unix_s)
    ends = np.array([row[0] + row[16] for row in rows])  # type: ignore[operator]
    for hour in np.unique(ends // _HOUR_S).tolist():
        mine = np.flatnonzero(ends // _HOUR_S == hour)
        mine = mine[np.argsort(ends[mine], kind="stable")]
        stamp = datetime.fromtimestamp(hour * _HOUR_S, UTC).strftime("%Y%m%dT%H%M%S.%f")
        lines = [record_row.head("0" * 16, "0" * 12)]
        lines += [orjson.dumps(rows[at], option=orjson.OPT_APPEND_NEWLINE) for at in mine.tolist()]
        (folder / f"{stamp}Z-{int(hour) % 16**6:06x}.jsonl").write_bytes(b"".join(lines))
    return len(rows)


def _rows(world: World, traffic: Traffic, played: Played, zero_unix_s: float) -> list[list[object]]:
    lanes = [name for name, *_ in world.lanes]
    queue_s = played.granted_s - traffic.due_s
    found = []
    for at in range(len(traffic)):
        due_s, outcome = float(traffic.due_s[at]), str(played.outcome[at])
        granted = np.isfinite(played.granted_s[at])
        first_s, last_s = float(played.first_s[at]) - due_s, float(played.last_s[at]) - due_s
        read, served = outcome in _READ, outcome == "ok"
        finished_s = last_s if np.isfinite(last_s) else 0.001
        if outcome == "client_abort" and not granted:
            finished_s = float(traffic.patience_s[at])
        if outcome == "queue_timeout":
            finished_s = world.limits.queue_timeout_s
        wait_s = (
            float(queue_s[at])
            if granted
            else (finished_s if outcome in ("queue_timeout", "client_abort") else 0.0)
        )
        has_first = bool(np.isfinite(first_s)) and outcome in ("ok", "client_abort")
        has_last = has_first and bool(np.isfinite(last_s))
        prompt, output = int(traffic.prompt[at]), int(traffic.output[at])
        found.append([
            *(round(zero_unix_s + due_s, 6), "chat", lanes[traffic.lane[at]]),
            *(f"s{int(traffic.session[at]):07d}", outcome, _STATUS.get(outcome, 429), int(traffic.body[at])),
            *((prompt * 4, 1, None) if read else (None, None, None)),
            *((prompt, output) if served else (None, None)),
            round(max(wait_s, 0.0), 6) if read else None,
            round(max(first_s - wait_s, 0.001), 6) if has_first else None,
            round(first_s, 6) if has_first else None,
            round(last_s, 6) if has_last else None,
            round(max(finished_s, 0.0), 6),
            int(played.version[at]) if read else None,
            f"{int(traffic.group[at]):08d}" if read else "",
        ])  # fmt: skip
    return found
