"""Why the engine cannot be used, in plain words, without secrets: what follows "The engine is not ready:"."""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from gateway.endpoint import Endpoint
from gateway.proxy import ProxyError


class Denied(StrEnum):
    """What a server wants of the gateway and does not get."""

    KEY = "it refuses the gateway's key (UPSTREAM_API_KEY)"
    NO_KEY = "it wants a key, and the gateway has none (UPSTREAM_API_KEY)"
    LOGIN = "it refuses the user name and password in VLLM_BASE_URL"
    NO_LOGIN = "it wants a user name and password (VLLM_BASE_URL=https://USER:PASSWORD@HOST)"
    PROXY = "the proxy before it wants a user name and password, or others (HTTP_PROXY, HTTPS_PROXY)"


def denied(status: int, asks_for: str, endpoint: Endpoint) -> Denied | None:
    """What a status says of our credentials; None for one that says nothing of them.

    asks_for: the answer's `WWW-Authenticate`, empty where it has none.
    """
    if status == 407:
        return Denied.PROXY
    if status not in (401, 403):
        return None
    if asks_for.lower().startswith("basic"):
        return Denied.LOGIN if endpoint.login else Denied.NO_LOGIN
    if endpoint.api_key:
        return Denied.KEY
    # Who wants a login says so in a 401.
    return Denied.LOGIN if endpoint.login and status == 403 else Denied.NO_KEY


def unreachable(error: BaseException, endpoint: Endpoint) -> str:
    """Why no answer came, from whatever a client raised."""
    where = endpoint.authority if endpoint.proxy is None else f"its proxy {endpoint.proxy.url}"
    for cause in _causes(error):
        said = _of(cause, where, endpoint)
        if said is not None:
            return said
    return f"the connection broke off ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, the innermost first."""
    inner = error.__cause__ or error.__context__
    if inner is not None:
        yield from _causes(inner)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    yield error


def _of(cause: BaseException, where: str, endpoint: Endpoint) -> str | None:
    text = f"{type(cause).__name__}: {cause}"
    if isinstance(cause, ProxyError):
        return str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted: {cause.verify_message}{_whom_we_trust()}"
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return f"{where} does not speak TLS with us ({cause.reason or cause}); is it http://?"
    if isinstance(cause, socket.gaierror):
        name = endpoint.host if endpoint.proxy is None else endpoint.proxy.host
        return f"its name {name!r} cannot be resolved"
    if isinstance(cause, ConnectionRefusedError) or "Errno 111" in text:
        return f"connection refused at {where}"
    if isinstance(cause, TimeoutError) or "Timeout" in text:
        return f"no answer from {where} in time"
    if isinstance(cause, ConnectionResetError) or re.search("disconnected|EOF|ReadError", text):
        return f"{where} closed the connection without an answer"
    if "RemoteProtocolError" in text:
        return f"what answers at {where} does not speak HTTP, or not with {endpoint.scheme}://"
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.strerror.lower()} at {where}"
    return None


def _whom_we_trust() -> str:
    own = os.environ.get("SSL_CERT_FILE")
    if own and not Path(own).is_file():
        return f" (SSL_CERT_FILE={own} is not there)"
    return " (a CA of your own is named with SSL_CERT_FILE)"
