"""A recording is read as one typed table, whatever its segments are by now, and described."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gateway import record_row
from gateway.asked import Asked
from gateway.call import Call
from gateway.outcome import Outcome, Route
from loadtests.traces import main
from loadtests.traffic import pack, table
from loadtests.traffic.row import PREFIX_ENDS_BYTES, TrafficRow
from loadtests.traffic.segments import Span, TrafficError
from loadtests.traffic.shared_prefixes import seen_before_bytes

START_S = 1_764_000_000.0
NAMES = ("20251124T160000.000000Z-abcdef", "20251124T170000.000000Z-abcdef")


def line(
    at_s: float,
    prompt: int | None = 300,
    outcome: Outcome = Outcome.OK,
    prefix: bytes = b"",
    route: Route = Route.CHAT,
) -> bytes:
    """A row as the gateway writes it, of a request that arrived so many seconds after the start."""
    call = Call(route, b"id", 1)
    call.arrived_s, call.offered = at_s, True
    call.first_s, call.last_s = at_s + 0.25, at_s + 1.25
    call.prompt_tokens, call.output_tokens = prompt, None if prompt is None else 11
    call.ends(outcome, 200)
    asked = Asked("alice/batch" if at_s % 2 else "bob/interactive", b"sessio" if at_s % 2 else b"", 900)
    asked.prompt_bytes, asked.prefix = 2000, prefix
    return record_row.line(call, asked, outcome, at_s + 1.5, START_S)


def segment(folder: Path, name: str, *lines: bytes) -> Path:
    """A segment of these lines."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_bytes(record_row.head("instance", "salt") + b"".join(lines))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recording"


def test_lines_and_tables_are_one(folder: Path) -> None:
    """The same rows before and after the older segment became a table; rows of both in order of arrival."""
    older = segment(folder, NAMES[0], *(line(float(k)) for k in range(1000)))
    segment(folder, NAMES[1], line(999.5), line(500.5, None, Outcome.REJECTED_FULL))
    before = table.read(folder)
    assert pack.main([str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAMES[0]}.parquet", f"{NAMES[1]}.jsonl"]
    assert older.with_suffix(".parquet").stat().st_mode & 0o777 == 0o600
    assert older.with_suffix(".parquet").stat().st_size < 0.5 * 1000 * len(line(0.0))
    after = table.read(folder)
    assert after.table.equals(before.table)
    assert after.table.schema == table.schema()
    assert after.table.num_rows == 1002
    assert after.table.column_names == list(TrafficRow._fields)
    facts = pq.read_schema(folder / f"{NAMES[0]}.parquet").metadata
    assert (facts[b"salt_id"], facts[b"schema_version"]) == (b"salt", b"1")
    traffic = table.traffic(folder)
    assert traffic.arrived_unix_s[0] == START_S
    assert (np.diff(traffic.arrived_unix_s) > 0).all()
    assert traffic.tpot_s[0] == pytest.approx(0.1)
    assert traffic.ttft_s[0] == pytest.approx(0.25)
    refused = list(traffic.outcome).index("rejected_full")
    assert (traffic.prompt_tokens[refused], np.isnan(traffic.tpot_s[refused])) == (-1, True)
    assert traffic.outcome.counts() == {"ok": 1001, "rejected_full": 1}


def test_a_row_is_small() -> None:
    """At most 300 bytes, with all hashes, the longest words and large numbers."""
    call = Call(Route.COMPLETIONS, b"id", 123_456)
    call.arrived_s, call.offered, call.queue_s = 12_345_678.123456, True, 3599.123456
    call.dispatched_s, call.head_s = call.arrived_s, call.arrived_s + 3599.123456
    call.first_s = call.last_s = call.arrived_s + 3599.123456
    call.prompt_tokens = call.output_tokens = 1_000_000
    call.ends(Outcome.UPSTREAM_OVERLOADED, 503)
    asked = Asked("a-tenant/interactive", b"sessio", 8_000_000)
    asked.prompt_bytes, asked.slots, asked.max_tokens = 8_000_000, 128, 1_000_000
    asked.prefix = bytes(range(6 * len(PREFIX_ENDS_BYTES)))
    assert len(PREFIX_ENDS_BYTES) <= 16
    row = record_row.line(call, asked, Outcome.UPSTREAM_OVERLOADED, call.arrived_s + 3600.123456, START_S)
    assert len(row) <= 300


def test_a_span_of_time(folder: Path) -> None:
    """Its end is not in it; a span in which nothing came is a mistake that is said."""
    segment(folder, NAMES[0], *(line(float(k)) for k in range(10)))
    inside = table.read(folder, Span(START_S + 2, START_S + 5)).table
    assert inside["arrived_unix_s"].to_pylist() == [START_S + k for k in (2, 3, 4)]
    with pytest.raises(TrafficError, match="no rows of that time"):
        table.traffic(folder, Span(START_S + 10, START_S + 20))


@pytest.mark.parametrize("torn", [b"[176400", b"[1764000003.0,\n", b"[1,2]\n", b"{}\n"])
def test_a_damaged_line_is_left_out_and_counted(folder: Path, torn: bytes) -> None:
    """The last one of a gateway that was killed, one in the middle, one of another kind; also in a table."""
    good = [line(float(k)) for k in range(1000)]
    last = not torn.endswith(b"\n")
    path = (
        segment(folder, NAMES[0], *good, torn)
        if last
        else segment(folder, NAMES[0], good[0], torn, *good[1:])
    )
    found = table.read(folder)
    assert (found.table.num_rows, found.damaged) == (1000, 1)
    assert table.pack(path) is not None
    packed = table.read(folder)
    assert (packed.table.num_rows, packed.damaged) == (1000, 1)


def test_an_empty_segment(folder: Path) -> None:
    """A gateway that was killed right after its first line, or in it."""
    segment(folder, NAMES[0])
    (folder / f"{NAMES[1]}.jsonl").write_bytes(b'{"schema_ver')
    found = table.read(folder)
    assert (found.table.num_rows, found.damaged) == (0, 1)
    with pytest.raises(TrafficError, match="holds no rows"):
        table.traffic(folder)


def test_what_is_written_to_is_not_packed(folder: Path) -> None:
    """The gateway holds a lock on it; a small one stays, too; a half-made table of before does no harm."""
    path = segment(folder, NAMES[0], *(line(float(k)) for k in range(1000)))
    small = segment(folder, NAMES[1], line(1.0))
    path.with_suffix(".part").write_bytes(b"half")
    with path.open("rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        assert pack.main([str(folder)]) == 0
        assert path.exists()
    assert pack.main([str(folder)]) == 0
    assert sorted(found.name for found in folder.iterdir()) == [f"{NAMES[0]}.parquet", small.name]


def test_other_versions_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence that names the file; a table lacks what it does not have."""
    path = segment(folder, NAMES[0])
    path.write_bytes(b'{"schema_version":2,"columns":[]}\n[]\n')
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err == f"headroom: trace {path}: is of version 2, this program reads 1\n"
    path.write_bytes(b'{"schema_version":1,"columns":["arrived_unix_s","new"]}\n[5.0,"x"]\n')
    assert table.read(folder).table.to_pylist()[0]["arrived_unix_s"] == 5.0
    assert table.read(folder).table["lane"].null_count == 1


def test_prompts_that_were_there_before(folder: Path) -> None:
    """At least as many bytes as the longest hash that an earlier prompt has, too."""
    one, two, other = b"aaaaaabbbbbb", b"aaaaaacccccc", b"dddddd"
    prefixes = [one, two, one + b"eeeeee", other, two]
    segment(folder, NAMES[0], *(line(float(k), prefix=prefix) for k, prefix in enumerate(prefixes)))
    assert seen_before_bytes(table.traffic(folder)).tolist() == [0, 512, 1024, 0, 1024]


def test_the_description(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`headroom traces DIR`: every key for programs, sentences for people."""
    segment(
        folder, NAMES[0], *(line(float(k), 100 + k) for k in range(9)), line(10.0, None, Outcome.CLIENT_ABORT)
    )
    assert main([str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "requests": 10,
        "from_utc": "2025-11-24T16:00:00Z",
        "until_utc": "2025-11-24T16:00:10Z",
        "span_s": 10.0,
        "rate_per_s": 1.0,
        "prompt_tokens": {"mean": 104.0, "p50": 104, "p95": 108, "max": 108},
        "output_tokens": {"mean": 11.0, "p50": 11, "p95": 11, "max": 11},
        "unmeasured": 1,
        "outcomes": {"ok": 9, "client_abort": 1},
        "lanes": {"bob/interactive": 6, "alice/batch": 4},
        "sessions": 1,
        "conversations": 1,
        "left": 1,
        "seen_before_ratio": 0.0,
        "prefix_hit_ratio": (102 + 104 + 106) / 1040,
        "damaged_lines": 0,
        "periods": [
            {
                "from_utc": "2025-11-24T16:00:00Z",
                "requests": 10,
                "rate_per_s": 1.0,
                "prompt_tokens": 104.0,
                "output_tokens": 11.0,
            }
        ],
        "missing": ["no prompt of 512 bytes or more was read: nothing is known of shared beginnings"],
    }
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "recording: recorded traffic, 10 requests in 10 s, 1 requests/s"
    assert lines[2] == "outcomes: ok 9 (90.0%), client_abort 1 (10.0%)"
    assert lines[4:6] == [
        "sessions: 1, with 1 conversations",
        "clients that left before their answer was whole: 1",
    ]
    assert lines[-2] == "note: 1 requests without both lengths: refused, left or failed"
    assert main([str(folder.parent)]) == 2
    said = f"headroom: trace {folder.parent}: is a directory without segments of a recording\n"
    assert capsys.readouterr().err == said
