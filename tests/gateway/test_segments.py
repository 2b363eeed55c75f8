"""The folder of a recording: bounds on disk and age, whatever happens to it. Time is an argument here."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.background_writer import ROOM, BackgroundWriter
from gateway.packer import Packer
from gateway.prefix_hashes import ENDS, HASH_BYTES, PrefixHashes
from gateway.segments import LOOK_EVERY_S, Bounds, Segments
from tests.gateway.process import until

DAY_S = 86_400.0
HEAD = b'{"schema_version":1,"columns":[]}\n'
START_S = 1_764_000_000.0


def size(folder: Path) -> int:
    """Bytes of all files in it."""
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries)


def oldest_s(folder: Path) -> float:
    """The time of the oldest row, by its own first cell."""
    first = min(folder.glob("*.jsonl")).read_bytes().splitlines()[1]
    return float(first[1:18])


def row(now_s: float) -> bytes:
    """A line of 180 bytes that says when it was written."""
    return b"[%.6f,%b]\n" % (now_s, b"9" * 160)


@pytest.mark.parametrize(
    ("gap_s", "bounds", "rows"),
    [
        (0.01, Bounds(16 << 20, 30 * DAY_S), 1_000_000),  # the disk is what bounds it
        (300.0, Bounds(1 << 30, 0.5 * DAY_S), 600),  # the age
        (7200.0, Bounds(1 << 30, 1 * DAY_S), 40),  # seldom a row
    ],
)
def test_the_bounds_hold_over_a_million_rows(tmp_path: Path, gap_s: float, bounds: Bounds, rows: int) -> None:
    """Looked at with every batch: the folder is never larger than allowed, nor a row older; most of what
    may be kept is kept.
    """
    folder = tmp_path / "recording"
    segments = Segments(folder, HEAD, bounds, lambda: None)
    at_once = 100 if gap_s < 1 else 1
    now_s, look_s, largest = START_S, START_S, 0
    for _ in range(rows // at_once):
        lines = [row(now_s + k * gap_s) for k in range(at_once)]
        now_s += at_once * gap_s
        while look_s < now_s:
            segments.look(look_s)
            look_s += LOOK_EVERY_S / 2
        segments.write(lines, now_s)
        largest = max(largest, size(folder))
    assert largest <= bounds.max_bytes
    assert now_s - oldest_s(folder) <= bounds.keep_s
    written = rows * len(row(now_s))
    assert largest >= 0.8 * min(bounds.max_bytes, written, bounds.keep_s / gap_s * len(row(now_s)) * 0.8)


def test_nothing_of_others_is_touched(tmp_path: Path) -> None:
    """Files with other names neither count nor go."""
    note = tmp_path / "note.jsonl"
    note.write_bytes(b"x" * (9 << 20))
    segments = Segments(tmp_path, HEAD, Bounds(8 << 20, DAY_S), lambda: None)
    for k in range(100):
        segments.write([row(START_S)] * 256, START_S + k)
    assert note.exists()
    assert segments.bytes == size(tmp_path) - note.stat().st_size


def test_tables_and_drafts_count_and_go_too(tmp_path: Path) -> None:
    """Whoever made them: the oldest of all files is removed first."""
    stamps = (datetime.fromtimestamp(START_S + k, UTC).strftime("%Y%m%dT%H%M%S.%f") for k in range(3))
    names = [
        f"{stamp}Z-abcdef{suffix}"
        for stamp, suffix in zip(stamps, (".part", ".parquet", ".jsonl"), strict=True)
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"x" * (3 << 20))
    segments = Segments(tmp_path, HEAD, Bounds(8 << 20, DAY_S), lambda: None)
    segments.look(START_S + 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    segments.look(START_S + DAY_S)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_is_closed_by_size_and_by_time(tmp_path: Path) -> None:
    """And each close is told, for the program that makes tables."""
    told: list[int] = []
    segments = Segments(tmp_path, HEAD, Bounds(8 << 20, 30 * DAY_S), lambda: told.append(1))
    for _ in range(12):
        segments.write([row(START_S)] * 256, START_S)
    assert len(told) == 1  # at half a MiB
    segments.look(START_S + 3599)
    assert len(told) == 1
    segments.look(START_S + 3600)
    assert len(told) == 2
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert all(path.read_bytes().startswith(HEAD) for path in tmp_path.glob("*.jsonl"))


def test_a_write_that_fails_leaves_whole_lines(tmp_path: Path) -> None:
    """A file may not grow beyond 64 KB here: what does not fit is refused as a whole."""
    resource = pytest.importorskip("resource")
    segments = Segments(tmp_path, HEAD, Bounds(8 << 20, DAY_S), lambda: None)
    segments.write([row(START_S)] * 10, START_S)
    (path,) = tmp_path.iterdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            segments.write([row(START_S)] * 500, START_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == HEAD + row(START_S) * 10
    segments.write([row(START_S)], START_S)
    assert path.read_bytes() == HEAD + row(START_S) * 11


def test_the_writer_drops_rather_than_waits() -> None:
    """Behind a write that hangs at most ROOM wait, the rest is counted; what was taken goes in order."""
    import threading

    gate = threading.Event()
    got: list[int] = []

    def write(batch: object) -> None:
        gate.wait(10)
        assert isinstance(batch, list)
        got.extend(batch)

    writer: BackgroundWriter[int] = BackgroundWriter(write, "test-writer")
    writer.start()
    for k in range(ROOM + 5000):
        writer.put(k)
    assert 5000 - 257 <= writer.dropped <= 5000
    gate.set()
    assert writer.stop()
    assert got == list(range(ROOM + 5000 - writer.dropped))


def test_a_program_that_cannot_run_is_told_once(tmp_path: Path) -> None:
    """And not tried again."""
    told: list[str] = []
    packer = Packer(tmp_path, told.append, ("-c", "raise SystemExit(3)"))
    packer.start()

    def given_up() -> bool:
        packer.look()
        return bool(told)

    until(given_up, 10)
    packer.start()
    assert len(told) == 1
    assert told[0].endswith("ended with 3")


def test_hashes_are_of_the_bytes_before_them() -> None:
    """A change in block k changes hash k and all after it, and none before; another salt changes all."""
    hashes = PrefixHashes(b"s" * 32)
    text = "".join(chr(97 + k % 23) for k in range(70_000))
    whole = hashes.of((text,))
    assert len(whole) == len(ENDS) * HASH_BYTES
    for k, end in enumerate(ENDS):
        changed = hashes.of((text[: end - 1] + "#" + text[end:],))
        same = [
            whole[i * HASH_BYTES :][:HASH_BYTES] == changed[i * HASH_BYTES :][:HASH_BYTES]
            for i in range(len(ENDS))
        ]
        assert same == [i < k for i in range(len(ENDS))]
    assert hashes.of((text[: ENDS[0] - 1],)) == b""
    assert hashes.of((text[:600], text[601:])) != hashes.of((text[:600], "#" + text[602:]))
    assert hashes.of((None, 5, text)) == whole
    assert hashes.of(("é" * 400,)) == hashes.of(("é" * 256,))[:HASH_BYTES]  # 512 bytes, not letters
    assert PrefixHashes(b"t" * 32).of((text,))[:HASH_BYTES] != whole[:HASH_BYTES]
    assert len(hashes.of(([1, 2, 3] * 100,))) == 2 * HASH_BYTES  # four bytes a token
    assert hashes.of((["a"] * 999,)) == hashes.of(([1 << 40] * 999,)) == b""
