"""The body of a request to the admin API."""

import asyncio

from fastapi import Request

from gateway.outcome import Outcome
from gateway.refusal import Refusal, invalid


async def admin_body(request: Request, most_bytes: int, within_s: float) -> bytes:
    """All of it. Raises Refusal where it is late or too large."""
    try:
        async with asyncio.timeout(within_s):
            return await _small_body(request, most_bytes)
    except TimeoutError:
        raise invalid("The request body was not complete in time.", status=408, close=True) from None


async def _small_body(request: Request, most_bytes: int) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise Refusal(
                Outcome.TOO_LARGE,
                413,
                f"The body is larger than {most_bytes} bytes.",
                "invalid_request_error",
                close=True,
            )
    return body
