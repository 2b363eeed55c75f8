"""The folder of a recording: rows go to its newest segment, segments are closed by size and time, and the
oldest files go where the bounds say so.

A segment is a file of lines, STAMP-TOKEN.jsonl, whose stamp is the time at which it was begun; of a closed
one another program may make STAMP-TOKEN.parquet. Nothing else in the folder is touched. For one thread.
"""

import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SEGMENT_S = 3600.0
"""A segment is closed after this long at the latest."""
LOOK_EVERY_S = 60.0
"""How often somebody has to call `look`, in seconds."""
LARGEST_SEGMENT_BYTES = 8 << 20
LEAST_BYTES = 1 << 23
"""The smallest bound on a folder: below it a segment would hold a few seconds."""
_FORM = "%Y%m%dT%H%M%S.%f"
_is_ours = re.compile(r"(\d{8}T\d{6}\.\d{6})Z-[0-9a-f]{6}\.(?:jsonl|parquet|part)").fullmatch


@dataclass(frozen=True, slots=True)
class Bounds:
    """max_bytes: of all files of the folder together; keep_s: how long a row is kept, in seconds."""

    max_bytes: int
    keep_s: float

    @property
    def segment_bytes(self) -> int:
        """The size at which a segment is closed."""
        return min(LARGEST_SEGMENT_BYTES, self.max_bytes // 16)

    @property
    def segment_s(self) -> float:
        """The time after which it is, in seconds."""
        return min(SEGMENT_S, self.keep_s / 4)


class Segments:
    """All that is written to one folder by this process. Several processes may write to one folder; then each
    has a segment of its own beyond the bound. head: the first line of each; closed: told when one was.
    """

    def __init__(self, folder: Path, head: bytes, bounds: Bounds, closed: Callable[[], None]) -> None:
        self.folder = folder
        self.bytes = 0
        self._head = head
        self._bounds = bounds
        self._closed = closed
        self._open: _OpenSegment | None = None

    def write(self, lines: Sequence[bytes], now_s: float) -> None:
        """Appends whole lines, of at most a segment's size together. now_s: Unix seconds. Raises OSError
        where the disk does not take them; the files are then as they were.
        """
        data = b"".join(lines)
        if self._open is not None and not self._open.path.exists():
            self.close()  # somebody removed it, and what is written into it is gone
        if self._is_due(len(data), now_s):
            self._turn(now_s)
        if self._open is None:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._open = _OpenSegment(self.folder / _name(now_s), self._head, now_s)
            self.bytes += self._open.size
        self._open.append(data)
        self.bytes += len(data)

    def look(self, now_s: float) -> None:
        """Closes a segment whose time has come, and removes what is too old or too much."""
        if self._is_due(0, now_s):
            self._turn(now_s)
        else:
            self._prune(now_s)

    def close(self) -> None:
        """Writes no more."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _is_due(self, more_bytes: int, now_s: float) -> bool:
        is_open, bounds = self._open, self._bounds
        if is_open is None:
            return False
        age_s = now_s - is_open.begun_s
        return is_open.size + more_bytes > bounds.segment_bytes or not 0 <= age_s < bounds.segment_s

    def _turn(self, now_s: float) -> None:
        """The open segment gets no further line."""
        self.close()
        self._prune(now_s)
        self._closed()

    def _prune(self, now_s: float) -> None:
        """Between two of these the folder grows by the open segment, and by a table that is being made while
        its lines are still there: each at most a segment.
        """
        bounds = self._bounds
        room = bounds.max_bytes - 2 * bounds.segment_bytes
        latest_s = now_s + LOOK_EVERY_S - bounds.keep_s
        found = sorted(_files(self.folder))
        total = sum(size for _, _, size in found)
        for begun_s, name, size in found:
            if begun_s >= latest_s and total <= room:
                break
            if self._open is not None and name == self._open.path.name:
                continue
            (self.folder / name).unlink(missing_ok=True)
            total -= size
        self.bytes = total


class _OpenSegment:
    """The one that is written to. A lock on it says so to whoever makes tables of closed ones; it goes with
    the process, however that ends.
    """

    def __init__(self, path: Path, head: bytes, begun_s: float) -> None:
        self.path = path
        self.begun_s = begun_s
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _lock(self._file)
            self.append(head)
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, data: bytes) -> None:
        """All of it, or nothing and OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._file)


def _files(folder: Path) -> list[tuple[float, str, int]]:
    """When each of our files was begun (Unix seconds), its name and size in bytes."""
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            match = _is_ours(entry.name)
            if match is not None:
                with suppress(FileNotFoundError):  # a table took its place
                    begun_s = datetime.strptime(match[1], _FORM).replace(tzinfo=UTC).timestamp()
                    found.append((begun_s, entry.name, entry.stat().st_size))
    return found


def _name(now_s: float) -> str:
    return f"{datetime.fromtimestamp(now_s, UTC).strftime(_FORM)}Z-{secrets.token_hex(3)}.jsonl"


def _lock(file: int) -> None:
    with suppress(ImportError):  # not on Windows
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
