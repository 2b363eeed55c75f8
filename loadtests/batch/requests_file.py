"""The requests of a batch: JSON lines in the form of OpenAI's batch files, all checked before the first is
sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from loadtests.batch.stopping import BatchMistake, BatchStopped

URLS = ("/v1/chat/completions", "/v1/completions")
MOST_FILE_BYTES = 2**30
MOST_LINE_BYTES = 16 * 2**20
"""Of a request, and of an answer that is kept."""
LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Where one request stands in the file: bytes from its beginning."""

    custom_id: str
    url: str
    offset: int
    length: int


class RequestsFile:
    """All requests, in the file's order; bodies are read when they are sent."""

    def __init__(self, file: BinaryIO, path: Path, requests: tuple[BatchRequest, ...]) -> None:
        self._file = file
        self._path = path
        self.requests = requests

    def body(self, request: BatchRequest) -> bytes:
        """The request's body as JSON. Raises BatchStopped: the file is no longer what it was."""
        # Not through the file's buffer, which may hold what the file no longer has.
        content = os.pread(self._file.fileno(), request.length, request.offset)
        try:
            line = orjson.loads(content)
            if line["custom_id"] == request.custom_id:
                return orjson.dumps(line["body"])
        except (ValueError, TypeError, KeyError):
            pass
        raise BatchStopped(f"{self._path} was changed while it was sent: put it back and go on")


@contextmanager
def opened(path: Path) -> Iterator[RequestsFile]:
    """The file with every line checked. Raises BatchMistake with the first line that is not right."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BatchMistake(f"{path} cannot be read: {error.strerror}") from None
    with file:
        try:
            size = file.seek(0, 2)
            file.seek(0)
            if size > MOST_FILE_BYTES:
                raise BatchMistake(f"{path} has {size:,} bytes; allowed: up to {MOST_FILE_BYTES:,}")
            requests = tuple(_requests(file, path))
        except OSError as error:
            raise BatchMistake(f"{path} cannot be read: {error.strerror}") from None
        if not requests:
            raise BatchMistake(f"{path} holds no requests")
        yield RequestsFile(file, path, requests)


def _requests(file: BinaryIO, path: Path) -> Iterator[BatchRequest]:
    first_of: dict[str, int] = {}
    offset, number = 0, 0
    while line := file.readline(MOST_LINE_BYTES + 1):
        number += 1
        where = f"{path} line {number}"
        if len(line) > MOST_LINE_BYTES:
            raise BatchMistake(f"{where} has more than {MOST_LINE_BYTES:,} bytes")
        if line.strip():
            custom_id, url = _checked(line, where)
            first = first_of.setdefault(custom_id, number)
            if first != number:
                raise BatchMistake(f"{where}: custom_id {custom_id!r} is that of line {first} already")
            yield BatchRequest(custom_id, url, offset, len(line))
        offset += len(line)


def _checked(line: bytes, where: str) -> tuple[str, str]:
    """Its custom_id and URL. Raises BatchMistake."""
    try:
        fields = orjson.loads(line)
    except ValueError as error:
        raise BatchMistake(f"{where} is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BatchMistake(f"{where} is no JSON object")
    custom_id, url, body = fields.get("custom_id"), fields.get("url"), fields.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= LONGEST_ID:
        raise BatchMistake(f"{where}: custom_id must be a text of 1 to {LONGEST_ID} characters")
    if fields.get("method") != "POST":
        raise BatchMistake(f"{where}: method is {fields.get('method')!r}; allowed: POST")
    if url not in URLS:
        raise BatchMistake(f"{where}: url is {url!r}; allowed: {', '.join(URLS)}")
    if not isinstance(body, dict):
        raise BatchMistake(f"{where}: body must be a JSON object")
    if body.get("stream"):
        raise BatchMistake(f"{where}: a result is one line, so body.stream cannot be true")
    return custom_id, url
