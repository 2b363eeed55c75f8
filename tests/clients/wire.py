"""One request at the wire, and its answer without what differs from one time to the next."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.clients.checks import Check

_TOLD_ONCE = [
    (rb'"id":"((?:chat)?cmpl|modelperm)-[0-9a-zA-Z-]+"', rb'"id":"\1-ID"'),
    (rb'"id":"(chatcmpl-tool|call)[-_][0-9a-zA-Z-]+"', rb'"id":"\1-ID"'),
    (
        rb'"((?:item_|call_|tool_use_)?id)":"(resp|msg|fc|rs|chatcmpl-tool|call|chatcmpl)[-_][0-9a-zA-Z-]+"',
        rb'"\1":"\2-ID"',
    ),
    (rb'"(created|created_at|completed_at)":\d+', rb'"\1":0'),
]


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. headers: lower-case names, sorted, no date, no length; body: without ids and times."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def names(self) -> set[str]:
        """Of the header fields."""
        return {name for name, _ in self.headers}


class _Connection(http.client.HTTPConnection):
    def __init__(self, netloc: str, version: str) -> None:
        super().__init__(netloc, timeout=120)
        self._http_vsn_str = version
        self._http_vsn = 10 if version == "HTTP/1.0" else 11


def ask(url: str, check: Check) -> Heard:
    """The answer to a check of the server at `url`, on a connection of its own."""
    connection = _Connection(urlsplit(url).netloc, check.version)
    try:
        connection.putrequest(check.method, check.path, skip_accept_encoding=True)
        for name, value in check.headers.items():
            connection.putheader(name, value)
        if check.chunked:
            connection.putheader("transfer-encoding", "chunked")
            pieces = [(check.body or b"")[:9], (check.body or b"")[9:], b""]
            connection.endheaders(pieces, encode_chunked=True)
        else:
            if check.body is not None:
                connection.putheader("content-length", str(len(check.body)))
            connection.endheaders(check.body)
        return _heard(connection.getresponse(), check)
    finally:
        connection.close()


def _heard(answer: http.client.HTTPResponse, check: Check) -> Heard:
    body = answer.read()
    for pattern, instead in _TOLD_ONCE:
        if "x-request-id" not in check.headers or b"created" in pattern:
            body = re.sub(pattern, instead, body)
    told = [(name.lower(), value) for name, value in answer.getheaders()]
    headers = sorted(field for field in told if field[0] not in ("date", "content-length"))
    return Heard(answer.status, tuple(headers), body)
