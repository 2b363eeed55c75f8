"""The folder of a load run: plan.json, records.jsonl (a line per request, as they end),
load.json (at the end)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from loadtests.planning import plan as plans
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording import table
from loadtests.recording.table import Table

SCHEMA_VERSION = 1
PLAN, RECORDS, LOAD = "plan.json", "records.jsonl", "load.json"


class RunFolder:
    """Reading and writing one folder; made when it does not exist."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def create(self, plan: Plan) -> None:
        """Make the folder with its plan and an empty record file. Raises FileExistsError
        when it holds records."""
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / RECORDS).exists() or (self.path / LOAD).exists():
            raise FileExistsError(f"run folder {self.path} already holds a run: give another --run-dir")
        plan.save(self.path / PLAN)
        (self.path / RECORDS).touch()

    def open_records(self) -> RecordFile:
        """The record file, to append to."""
        return RecordFile(self.path / RECORDS)

    def spool_path(self, place: int) -> Path:
        """A worker's own copy of what it ships, so that its death loses nothing that it had recorded."""
        return self.path / f".records.worker-{place}.jsonl"

    def open_spool(self, place: int) -> RecordFile:
        """The spool of the worker at this place of the order, to append to."""
        self.path.mkdir(parents=True, exist_ok=True)
        return RecordFile(self.spool_path(place))

    def plan(self) -> Plan:
        """The stored plan."""
        return plans.load(self.path / PLAN)

    def records(self) -> Iterator[RequestRecord]:
        """Every record, in the order of their ends; a last line torn by a crash is left out."""
        with (self.path / RECORDS).open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield RequestRecord.from_json(orjson.loads(line))

    def table(self) -> Table:
        """Every record, as columns."""
        return table.read(self.path / RECORDS)

    def save_load(self, result: dict[str, Any]) -> None:
        """Write load.json by renaming a whole file, so that its presence means a finished run."""
        temporary = self.path / f"{LOAD}.part"
        temporary.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))
        temporary.replace(self.path / LOAD)

    def load(self) -> dict[str, Any]:
        """load.json; FileNotFoundError when the run did not finish."""
        return dict(orjson.loads((self.path / LOAD).read_bytes()))


class RecordFile:
    """Appends lines with one write each and no buffer of ours: what was recorded survives this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("ab", buffering=0)

    def append(self, line: bytes) -> None:
        """Write one line (without its end)."""
        self._file.write(line + b"\n")

    def append_lines(self, lines: bytes) -> None:
        """Write whole lines at once."""
        self._file.write(lines)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
