"""Sends one request of a batch, and says what came of it."""

from __future__ import annotations

import math
import re
import time
from email.utils import mktime_tz, parsedate_tz

import httpx
import orjson

from loadtests.batch.answer import Barred, BatchAnswer, BatchError, Broken, Busy, Sent, Unreached
from loadtests.batch.requests_file import MOST_LINE_BYTES
from loadtests.reach import why
from loadtests.reach.endpoint import Endpoint

LONGEST_WAIT_S = 600.0
"""Of what a server tells; a longer one is asked again by then."""
_LANE = re.compile(r'lane;desc="([^"]*)"')


class BatchSender:
    """One client for all of them. lane: in which the gateway says that we are; empty until it did."""

    def __init__(self, client: httpx.AsyncClient, endpoint: Endpoint, fields: dict[str, str]) -> None:
        """fields: header fields that every request has."""
        self._client = client
        self._endpoint = endpoint
        self._fields = {"content-type": "application/json", **fields}
        self.lane = ""

    async def send(self, url: str, body: bytes) -> Sent:
        """What came of it; the only errors that leave are ours."""
        try:
            async with self._client.stream("POST", url, content=body, headers=self._fields) as response:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MOST_LINE_BYTES:
                        return _too_long(response)
                return self._read(response, bytes(content))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            return Unreached(why.unreachable(error, self._endpoint))
        except httpx.TimeoutException as error:
            return BatchAnswer(
                None, None, None, BatchError("timeout", why.unreachable(error, self._endpoint))
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            told = BatchError("connection_error", why.unreachable(error, self._endpoint))
            return Broken(BatchAnswer(None, None, None, told))

    def _read(self, response: httpx.Response, content: bytes) -> Sent:
        found = _LANE.search(response.headers.get("server-timing", ""))
        if found:
            self.lane = found[1]
        status = response.status_code
        if status in (429, 503):
            return Busy(told_wait_s(response.headers, time.time()))
        refused = why.refused(status, response.headers.get("www-authenticate", ""), self._endpoint)
        if status != 403 and refused is not None:
            return Barred(refused)
        answer = _answer(response, content)
        return Broken(answer) if status in (408, 409) or status >= 500 else answer


def told_wait_s(headers: httpx.Headers, now_s: float) -> float | None:
    """What `retry-after-ms`, else `Retry-After` (seconds or a date) tells to wait, 0 to `LONGEST_WAIT_S`.

    None without one that can be read. now_s: Unix seconds.
    """
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            told_s = float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
        if math.isfinite(told_s):
            return min(max(told_s, 0.0), LONGEST_WAIT_S)
    date = parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else min(max(mktime_tz(date) - now_s, 0.0), LONGEST_WAIT_S)


def _answer(response: httpx.Response, content: bytes) -> BatchAnswer:
    status, request_id = response.status_code, response.headers.get("x-request-id")
    try:
        body = orjson.loads(content)
    except ValueError:
        said = content[:200].decode("utf-8", "replace")
        return BatchAnswer(
            status, request_id, None, BatchError("no_json", f"the answer is no JSON: {said!r}")
        )
    return BatchAnswer(status, request_id, body, None if status == 200 else _error(status, body))


def _error(status: int, body: object) -> BatchError:
    told = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return BatchError(f"http_{status}", f"the server answered {status}")
    return BatchError(str(told.get("code") or f"http_{status}"), str(told.get("message") or status))


def _too_long(response: httpx.Response) -> BatchAnswer:
    text = f"the answer has more than {MOST_LINE_BYTES:,} bytes, and was not kept"
    request_id = response.headers.get("x-request-id")
    return BatchAnswer(response.status_code, request_id, None, BatchError("too_long", text))
