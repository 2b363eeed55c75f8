"""Why a server cannot be used, in plain words: clauses that go after "the engine at URL cannot be used:"."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from loadtests.reach.endpoint import Endpoint
from loadtests.reach.proxy import ProxyError


class Refused(StrEnum):
    """Of what a server refuses."""

    KEY = "it refuses the key"
    NO_KEY = "it wants a key, and none was given"
    LOGIN = "it refuses the user name and password"
    NO_LOGIN = "it wants a user name and password (https://USER:PASSWORD@HOST)"
    PROXY = "the proxy before it wants a user name and password, or others (HTTP_PROXY, HTTPS_PROXY)"


def refused(status: int, asks_for: str, endpoint: Endpoint) -> Refused | None:
    """What a status says of our key or login; None for any that says nothing of them.

    `asks_for`: the answer's `WWW-Authenticate`, empty where it has none.
    """
    if status == 407:
        return Refused.PROXY
    if status not in (401, 403):
        return None
    if asks_for.lower().startswith("basic"):
        return Refused.LOGIN if endpoint.login else Refused.NO_LOGIN
    if endpoint.api_key:
        return Refused.KEY
    # Who wants a login says so in a 401.
    return Refused.LOGIN if endpoint.login and status == 403 else Refused.NO_KEY


def is_page(kind: str, body: bytes) -> bool:
    """Whether an answer is a web page, by its content type or its first bytes."""
    start = body[:200].lstrip().lower()
    return kind.lower().startswith("text/html") or start.startswith((b"<!doctype html", b"<html"))


def unreachable(error: BaseException, endpoint: Endpoint) -> str:
    """Why no answer came, from whatever a client raised."""
    where = endpoint.authority if endpoint.proxy is None else f"its proxy {endpoint.proxy.url}"
    for cause in _causes(error):
        said = _of(cause, where, endpoint)
        if said is not None:
            return said
    return "the connection broke off" if not str(error) else str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, the innermost first."""
    for inner in (error.__cause__, error.__context__):
        if inner is not None:
            yield from _causes(inner)
            break
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    yield error


def _of(cause: BaseException, where: str, endpoint: Endpoint) -> str | None:
    text = f"{type(cause).__name__}: {cause}"
    if isinstance(cause, ProxyError):
        return str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted: {cause.verify_message}{_whom_we_trust()}"
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return f"{where} does not speak TLS with us ({cause.reason or cause}); is it http://?"
    if isinstance(cause, socket.gaierror) or "NameResolutionError" in text:
        name = endpoint.host if endpoint.proxy is None else endpoint.proxy.host
        return f"its name {name!r} cannot be resolved"
    if isinstance(cause, ConnectionRefusedError) or "Errno 111" in text:
        return f"connection refused at {where}"
    if isinstance(cause, TimeoutError) or "Timeout" in text:
        return f"no answer from {where} in time"
    if isinstance(cause, ConnectionResetError) or re.search("disconnected|RemoteDisconnected|EOF", text):
        return f"{where} closed the connection without an answer"
    if re.search("RemoteProtocolError|BadStatusLine|LineTooLong|BrokenAnswer", text):
        return f"what answers at {where} does not speak HTTP, or not with {endpoint.scheme}://"
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror.lower()} at {where}"
    return None


def _whom_we_trust() -> str:
    own = os.environ.get("SSL_CERT_FILE")
    if own and not Path(own).is_file():
        return f" (SSL_CERT_FILE={own} is not there)"
    return " (a CA of your own is named with SSL_CERT_FILE)"
