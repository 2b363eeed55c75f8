"""The results of a batch: a line for each request, appended as soon as it is known and never changed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import orjson

from loadtests.batch.answer import BatchAnswer
from loadtests.batch.stopping import BatchMistake, BatchStopped

SPARE_BYTES = 128 * 2**20
"""That must stay free on the disk."""
_READ_BYTES = 2**20


class ResultsFile:
    """Open for appending, and ours alone. A line is with the kernel before `add` returns: killing the process
    loses none; `sync` brings them onto the disk.

    failed_ids, done_ids: the custom_ids of results with an error, and of all.
    """

    def __init__(self, fd: int, path: Path, spare_bytes: int) -> None:
        self._fd = fd
        self._path = path
        self._spare_bytes = spare_bytes
        self._size = 0
        self._dirty = False
        self.done_ids: set[str] = set()
        self.failed_ids: set[str] = set()

    def read(self, known: Collection[str]) -> None:
        """Learns what is done, and drops a last line that has no end.

        Raises BatchMistake: a line is no result, or of no request among `known`, or the second of one.
        """
        for number, line in enumerate(_lines(self._fd), start=1):
            if not line.endswith(b"\n"):
                break
            where = f"{self._path} line {number}"
            try:
                fields = orjson.loads(line)
                custom_id, failed = fields["custom_id"], fields["error"] is not None
            except (ValueError, TypeError, KeyError):
                raise BatchMistake(f"{where} is no result: name another file with --out") from None
            if not isinstance(custom_id, str) or custom_id not in known:
                raise BatchMistake(
                    f"{where} is the result of {custom_id!r}, which is no request here: name another --out"
                )
            if custom_id in self.done_ids:
                raise BatchMistake(f"{where} is a second result of {custom_id!r}: take out one of them")
            self._note(custom_id, failed)
            self._size += len(line)
        os.ftruncate(self._fd, self._size)

    def add(self, custom_id: str, answer: BatchAnswer) -> None:
        """One more line. Raises BatchStopped where the disk does not take it; the file is then as it was."""
        line = orjson.dumps(_fields(custom_id, answer)) + b"\n"
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            os.ftruncate(self._fd, self._size)
            raise _no_room(self._path, error) from None
        self._size += len(line)
        self._dirty = True
        self._note(custom_id, answer.error is not None)

    def sync(self) -> None:
        """Everything onto the disk. Raises BatchStopped where little of it is left."""
        if self._dirty:
            try:
                os.fsync(self._fd)
            except OSError as error:
                raise _no_room(self._path, error) from None
            self._dirty = False
        self.check_room()

    def check_room(self) -> None:
        """Raises BatchStopped where less than the spare bytes are free."""
        free = shutil.disk_usage(self._path.parent).free
        if free < self._spare_bytes:
            raise BatchStopped(
                f"the disk of {self._path} has {free / 2**20:,.0f} MiB left, and {self._spare_bytes >> 20:,} "
                "must stay free: make room and give the same command again"
            )

    def _note(self, custom_id: str, failed: bool) -> None:
        self.done_ids.add(custom_id)
        if failed:
            self.failed_ids.add(custom_id)


@contextmanager
def opened(path: Path, known: Collection[str], spare_bytes: int = SPARE_BYTES) -> Iterator[ResultsFile]:
    """The file, made where there is none, with what it holds read; on the disk at the end.

    known: the custom_ids of all requests.
    Raises BatchMistake: it cannot be opened, another batch writes it, or it is of other requests.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BatchMistake(f"{path} cannot be written: {error.strerror}") from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BatchMistake(f"another batch is writing {path}") from None
        results = ResultsFile(fd, path, spare_bytes)
        results.read(known)
        results.check_room()
        try:
            yield results
        finally:
            os.fsync(fd)
    finally:
        os.close(fd)


def _lines(fd: int) -> Iterator[bytes]:
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb", buffering=_READ_BYTES) as file:
        yield from file


def _fields(custom_id: str, answer: BatchAnswer) -> dict[str, object]:
    response = None
    if answer.status is not None:
        response = {"status_code": answer.status, "request_id": answer.request_id, "body": answer.body}
    error = answer.error
    return {
        "id": f"batch_req_{sha256(custom_id.encode()).hexdigest()[:24]}",
        "custom_id": custom_id,
        "response": response,
        "error": None if error is None else {"code": error.code, "message": error.message},
    }


def _no_room(path: Path, error: OSError) -> BatchStopped:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "there is no room for it" if full else error.strerror
    return BatchStopped(
        f"{path} does not take another result ({why}): make room and give the same command again"
    )
