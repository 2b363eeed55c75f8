"""Which header fields pass the gateway, in each direction: all but those that have a reason to stay."""

import re
from collections.abc import Mapping

from gateway.refusal import Fields, Headers, lines

MAX_VALUE_BYTES = 4096
_ONE_CONNECTION = (
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
)
_BELONGS_TO_ONE_CONNECTION = "belongs to one connection, as does every field that `Connection` names"
_OF_BROWSERS = "answered here: `ALLOWED_ORIGINS` decides, and an engine with a rule of its own would refuse"

KEYS = frozenset((b"authorization", b"x-api-key", b"api-key"))
"""Fields that carry a client's key: they pass only where it is meant for the engine."""

KEPT_FROM_ENGINE: Mapping[bytes, str] = {
    **dict.fromkeys((*_ONE_CONNECTION, b"http2-settings"), _BELONGS_TO_ONE_CONNECTION),
    b"host": "names the gateway; the engine gets its own",
    b"content-length": "written anew",
    b"expect": "`100-continue` was answered here",
    b"accept-encoding": "always `identity`: a compressed stream would be held back",
    b"content-encoding": "only `identity` is taken",
    b"x-request-id": "the client's own where it is sane, else a new one",
    b"cookie": "belongs to the gateway's host name, where others may have set it",
    **dict.fromkeys((b"x-headroom-tenant", b"x-headroom-class"), "tells the gateway for whom a client asks"),
    b"x-headroom-within-s": "tells the gateway how soon a request should be served",
    **dict.fromkeys(
        (
            b"origin",
            b"access-control-request-method",
            b"access-control-request-headers",
            b"access-control-request-private-network",
            b"sec-fetch-site",
            b"sec-fetch-mode",
            b"sec-fetch-dest",
            b"sec-fetch-user",
        ),
        _OF_BROWSERS,
    ),
}
"""Request fields that do not reach the engine, each with the reason."""

KEPT_FROM_CLIENT: Mapping[bytes, str] = {
    **dict.fromkeys(_ONE_CONNECTION, _BELONGS_TO_ONE_CONNECTION),
    b"content-length": "written anew",
    b"content-encoding": "only `identity` is taken",
    b"date": "the gateway's own stands",
    b"server": "tells what stands behind the gateway, not who answered",
    b"x-request-id": "the one under which the gateway knows the request stands",
    b"x-gateway-outcome": "the name is the gateway's",
    b"x-gateway-limits-version": "the name is the gateway's",
    b"x-gateway-lanes-version": "the name is the gateway's",
    b"set-cookie": "the engine gets no cookies, so it sets none",
    b"alt-svc": "would lead browsers round the gateway",
    b"strict-transport-security": "a rule for the engine's host name, not for the gateway's",
    **dict.fromkeys(
        (
            b"access-control-allow-origin",
            b"access-control-allow-credentials",
            b"access-control-allow-methods",
            b"access-control-allow-headers",
            b"access-control-allow-private-network",
            b"access-control-expose-headers",
            b"access-control-max-age",
        ),
        "`ALLOWED_ORIGINS` decides",
    ),
}
"""Fields of the engine's answer that do not reach the client, each with the reason."""


def for_engine(headers: Headers, fields: Fields, request_id: bytes, *, keys_pass: bool) -> bytes:
    """The lines of what the engine gets: the client's fields, and those that the gateway sets.

    fields: the first of each name; keys_pass: the client's key is meant for the engine.
    """
    kept = KEPT_FROM_ENGINE if keys_pass else _KEPT_WITH_KEYS
    if fields.get(b"connection") not in _NAMES_NOTHING:
        named = _named_by_connection(headers)
        headers = [pair for pair in headers if pair[0] not in named]
    ours = (b"accept-encoding", b"identity"), (b"x-request-id", request_id)
    return lines([*[pair for pair in headers if pair[0] not in kept], *ours])


def for_client(headers: Headers, fields: Fields) -> bytes:
    """The lines of the engine's fields that the client gets: none whose value is huge or not printable ASCII.

    fields: the first of each name.
    """
    if fields.get(b"connection") not in _NAMES_NOTHING:
        named = _named_by_connection(headers)
        headers = [pair for pair in headers if pair[0] not in named]
    return lines([pair for pair in headers if pair[0] not in KEPT_FROM_CLIENT and _sane(pair[1])])


_KEPT_WITH_KEYS = frozenset(KEPT_FROM_ENGINE) | KEYS
_NAMES_NOTHING = (None, b"keep-alive", b"close")
_sane = re.compile(rb"[ -~]{0,%d}" % MAX_VALUE_BYTES).fullmatch


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    named = [value for name, value in headers if name == b"connection"]
    return frozenset(part.strip().lower() for value in named for part in value.split(b","))
