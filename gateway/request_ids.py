"""The name of a request: the client's own where it is sane, else a new one."""

import re
import secrets
from itertools import count

from gateway.refusal import Fields

_SANE = re.compile(rb"[!-~]{1,128}")


class RequestIds:
    """New ones are 32 hexadecimal digits: 16 of this process, drawn at its start, and 16 that count. They are
    names, not secrets, so a system call for each would buy nothing.
    """

    def __init__(self) -> None:
        self._process = secrets.token_hex(8).encode()
        self._numbers = count(1)

    def of(self, fields: Fields) -> bytes:
        """By the fields of the request's head."""
        given = fields.get(b"x-request-id")
        if given is not None and _SANE.fullmatch(given) is not None:
            return given
        return b"%b%016x" % (self._process, next(self._numbers))
