"""A recording's folder, as the gateway leaves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson

from gateway import record_row
from loadtests.traffic.row import TrafficRow
from loadtests.traffic.traffic import Names, Traffic


def write(traffic: Traffic, folder: Path) -> Path:
    """One segment of lines with all rows."""
    columns: list[list[object]] = []
    for name in TrafficRow._fields:
        column = getattr(traffic, name)
        if isinstance(column, Names):
            columns.append(list(column))
        elif column.dtype.kind == "f":
            columns.append([x if np.isfinite(x) else None for x in column.tolist()])
        else:
            columns.append([x if x >= 0 else None for x in column.tolist()])
    folder.mkdir(exist_ok=True)
    lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in zip(*columns, strict=True)]
    stamp = np.datetime64(int(traffic.arrived_unix_s[0]), "s").astype(object).strftime("%Y%m%dT%H%M%S")
    file = folder / f"{stamp}.000000Z-abcdef.jsonl"
    file.write_bytes(record_row.head("instance", "salt") + b"".join(lines))
    return folder
