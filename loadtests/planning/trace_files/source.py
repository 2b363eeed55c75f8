"""The bytes of a trace file: opened, decompressed, measured against bounds, and given out as text.

Everything is looked at once before a row is read, so that a file that is no text, is damaged or unpacks to
more than the bounds costs a moment and one sentence. A pipe, which cannot be read twice, is copied first.
"""

from __future__ import annotations

import codecs
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from loadtests.planning.trace_files.trace import TraceError

_BLOCK = 2**20
_GZIP = b"\x1f\x8b"
_OTHERS = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a zip archive, as spreadsheets are",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"ARROW1": "Arrow",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is read. `file_bytes` after decompression; `document_bytes` of a file that is one JSON
    array, which has to be parsed as a whole; `pipe_bytes` of what is no regular file, as it comes."""

    file_bytes: int = 8 * 2**30
    lines: int = 30_000_000
    line_bytes: int = 8 * 2**20
    document_bytes: int = 64 * 2**20
    pipe_bytes: int = 512 * 2**20


BOUNDS = Bounds()


@contextmanager
def text_of(path: Path, bounds: Bounds = BOUNDS) -> Iterator[io.TextIOBase]:
    """The file as text, its line ends as they are; gzip is unpacked, a byte order mark is dropped.

    Raises:
        TraceError: it cannot be opened or unpacked, is no UTF-8 text, or is beyond the bounds.
    """
    if "\0" in str(path):
        raise TraceError("is no path: it holds a zero byte")
    try:
        with _seekable(path, bounds) as file:
            head = file.read(8)
            for magic, what in _OTHERS.items():
                if head.startswith(magic):
                    raise TraceError(f"is {what}; read are CSV and JSON lines in UTF-8, plain or as .gz")
            file.seek(0)
            packed = head.startswith(_GZIP)
            _survey(gzip.GzipFile(fileobj=file) if packed else file, bounds)
            file.seek(0)
            unpacked = gzip.GzipFile(fileobj=file) if packed else file
            yield io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise TraceError(f"is damaged: {str(error) or 'it ends too early'}") from None
    except OSError as error:
        raise TraceError(error.strerror or str(error)) from None


@contextmanager
def _seekable(path: Path, bounds: Bounds) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if path.is_file():
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
                if copy.tell() > bounds.pipe_bytes:
                    raise TraceError(
                        f"is longer than {_size(bounds.pipe_bytes)}, the most that is read of a pipe"
                    )
            copy.seek(0)
            yield copy


def _survey(raw: IO[bytes] | gzip.GzipFile, bounds: Bounds) -> None:
    """Read everything once; raise TraceError at the first thing that is no text or beyond the bounds."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = lines = line_bytes = 0
    first = b""
    while block := raw.read(_BLOCK):
        first = first or block.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        document = first == b"["
        if b"\0" in block:
            raise TraceError(f"is binary: byte {size + block.index(0)} is 0")
        _check_encoding(decoder, block, lines)
        longest, line_bytes = _lengths(block, line_bytes)
        size += len(block)
        lines += block.count(b"\n") or block.count(b"\r")
        if size > bounds.file_bytes:
            raise TraceError(f"is longer than {_size(bounds.file_bytes)}, the most that is read")
        if lines > bounds.lines:
            raise TraceError(f"has more than {bounds.lines:,} lines, the most that is read")
        if longest > bounds.line_bytes and not document:
            raise TraceError(f"has a line longer than {_size(bounds.line_bytes)}, the most that is read")
        if document and size > bounds.document_bytes:
            raise TraceError(
                f"is one JSON array of more than {_size(bounds.document_bytes)}, the most that is read; "
                "make it JSON lines, one request a line"
            )
    _check_encoding(decoder, b"", lines)


def _lengths(block: bytes, open_bytes: int) -> tuple[int, int]:
    """The longest line that ends or goes on in the block, and the length of the line that it leaves open, of
    which `open_bytes` came before the block."""
    codes = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero((codes == ord("\n")) | (codes == ord("\r")))
    if not len(ends):
        return open_bytes + len(block), open_bytes + len(block)
    left_open = len(block) - int(ends[-1]) - 1
    return max(int(np.diff(ends, prepend=-open_bytes).max()), left_open), left_open


def _check_encoding(decoder: codecs.IncrementalDecoder, block: bytes, lines_before: int) -> None:
    try:
        decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        line = lines_before + error.object[: error.start].count(b"\n") + 1
        raise TraceError(
            f"line {line}: is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None


def _size(count: int) -> str:
    return f"{count / 2**30:g} GiB" if count >= 2**30 else f"{count / 2**20:g} MiB"
