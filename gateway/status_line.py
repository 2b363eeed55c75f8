"""The first line of an answer."""

from functools import cache
from http import HTTPStatus


@cache
def status_line(status: int) -> bytes:
    """With the usual phrase, none where HTTP knows none. status: 100 to 599."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
