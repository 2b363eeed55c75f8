"""What a file may be before it is a trace: compressed, damaged, no text, too much, no file at all."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from loadtests.planning.trace_files import reading, source
from loadtests.planning.trace_files.source import Bounds, text_of
from loadtests.planning.trace_files.trace import TraceError
from tests.loadtests.planning.trace_data import FOLDER, written

HEADROOM = "arrival_s,prompt_tokens,output_tokens\n"
ROWS = (HEADROOM + "0,1,2\n1.5,3,4\n").encode()


def refusal(folder: Path, content: bytes, name: str = "trace.csv") -> str:
    with pytest.raises(TraceError) as refused:
        written(folder, content, name)
    return str(refused.value)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t"])
@pytest.mark.parametrize(
    "content", [gzip.compress(ROWS), gzip.compress(ROWS[:50]) + gzip.compress(ROWS[50:])]
)
def test_gzip_is_told_by_its_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever the name; also of several members."""
    assert written(tmp_path, content, name).arrival_s.tolist() == [0.0, 1.5]


def test_a_name_in_gz_need_not_be_gzip(tmp_path: Path) -> None:
    """A browser may have unpacked it."""
    assert len(written(tmp_path, ROWS, "t.csv.gz")) == 2


def test_a_torn_gzip_is_damaged(tmp_path: Path) -> None:
    """At every length: never half a trace."""
    whole = gzip.compress(ROWS, mtime=0)
    for length in range(4, len(whole)):
        assert "is damaged" in refusal(tmp_path, whole[:length])
    flipped = bytearray(whole)
    flipped[-6] ^= 1
    assert "is damaged" in refusal(tmp_path, bytes(flipped))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1" + bytes(20), "is Parquet"),
        (b"PK\x03\x04" + bytes(20), "is a zip archive"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "is compressed with zstd"),
        (HEADROOM.encode("utf-16"), "is UTF-16"),
        (ROWS + b"\x00", "is binary: byte 52 is 0"),
        (ROWS + "1,2,3 caf\u00e9\n".encode("latin-1"), "line 4: is not UTF-8 (byte 0xe9)"),
        (ROWS + b"\xc3", "line 4: is not UTF-8 (byte 0xc3)"),
        (gzip.compress(gzip.compress(ROWS)), "is binary"),
    ],
)
def test_what_is_no_text(tmp_path: Path, content: bytes, said: str) -> None:
    """Named, with what is read instead."""
    assert said in refusal(tmp_path, content)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, nothing, and a name that no file can have."""
    for path, said in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none.csv", "No such file"),
        (tmp_path / ("n" * 300), "File name too long"),
        (tmp_path / "a\0b", "zero byte"),
    ):
        with pytest.raises(TraceError, match=said):
            reading.read(path)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    """As `<(zcat …)` gives it; no file of its own stays behind."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(ROWS),))
    writer.start()
    trace = reading.read(pipe)
    writer.join()
    assert len(trace) == 2


SMALL = Bounds(
    file_bytes=4 * 2**20, lines=1000, line_bytes=3 * 2**20, document_bytes=2 * 2**20, pipe_bytes=2**20
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x,y\n" * 1001, "has more than 1,000 lines"),
        (b"x,y\r\n" * 1000, ""),
        (b"x" * (3 * 2**20), ""),
        (b"x" * (3 * 2**20 + 1), "has a line longer than 3 MiB"),
        (b"ab\n" + b"x" * (3 * 2**20 + 1) + b"\n", "has a line longer than 3 MiB"),
        (b" " * (2**20 + 7) + b"[" + b"1," * 2**20, "is one JSON array of more than 2 MiB"),
        ((b"x" * 999_999 + b"\n") * 5, "is longer than 4 MiB"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_bounds(tmp_path: Path, content: bytes, said: str, packed: bool) -> None:
    """Of what is unpacked, in bytes, lines and length of a line."""
    path = tmp_path / "trace.csv"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    if said:
        with pytest.raises(TraceError, match=said), text_of(path, SMALL) as text:
            text.read()
    else:
        with text_of(path, SMALL) as text:
            assert text.read().encode() == content


def test_a_bomb_is_one_sentence(tmp_path: Path) -> None:
    """64 MiB and 177 MiB in less than one: refused at the first long line, and at the number of lines."""
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as bomb:
        for _ in range(64):
            bomb.write(b"9" * 2**20)
    assert path.stat().st_size < 2**20
    with pytest.raises(TraceError, match="has a line longer than 8 MiB"):
        reading.read(path)
    with gzip.open(path, "wb", compresslevel=1) as bomb:
        bomb.write(HEADROOM.encode())
        for _ in range(31):
            bomb.write(b"0,1,2\n" * 1_000_000)
    assert path.stat().st_size < 2**20
    with pytest.raises(TraceError, match="has more than 30,000,000 lines"):
        reading.read(path)


def test_an_endless_pipe_ends() -> None:
    """What is no regular file is read up to a bound."""
    with (
        pytest.raises(TraceError, match="the most that is read of a pipe"),
        text_of(Path("/dev/zero"), SMALL),
    ):
        pass


def test_the_published_files_are_within_the_bounds() -> None:
    """The largest of BurstGPT has 5.3 million rows, Azure's week of conversations 27,303,999 of 45 bytes."""
    assert source.BOUNDS.lines > 27_303_999
    assert source.BOUNDS.file_bytes > 2 * 45 * 27_303_999


def test_the_stored_gzip_is_one() -> None:
    """The test data are what they say."""
    assert (FOLDER / "azure_2023.csv.gz").read_bytes()[:2] == b"\x1f\x8b"
