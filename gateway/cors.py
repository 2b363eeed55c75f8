"""Cross-origin requests of browsers, for the origins that the operator has named."""

from starlette.types import Message, Scope, Send

from gateway.refusal import Headers
from gateway.request_body import header

EXPOSED = (
    b"x-request-id, x-gateway-outcome, x-gateway-limits-version, retry-after, retry-after-ms, server-timing"
)
METHODS = b"GET, HEAD, POST, OPTIONS"
USUAL_FIELDS = b"authorization, content-type"
KEPT_S = b"600"
_FIELD_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, ")


class Cors:
    """What is added to answers. Without origins it is never asked; `/admin` is never part of it.

    Where any origin is let in (`*`), credentials are not: a browser then sends no cookies along.
    """

    def __init__(self, origins: str | None) -> None:
        named = frozenset((origins or "").split(",")) - {""}
        self._any = "*" in named
        self._named = frozenset(name.encode() for name in named - {"*"})

    def covers(self, path: str) -> bool:
        """Whether answers of that path may be for pages of other origins."""
        return (self._any or bool(self._named)) and not (path == "/admin" or path.startswith("/admin/"))

    def preflight(self, scope: Scope) -> Headers | None:
        """The fields of the 204 to a browser's question before a request, or None when it asks none or its
        origin is not let in.
        """
        headers: Headers = scope["headers"]
        if scope["method"] != "OPTIONS" or header(headers, b"access-control-request-method") is None:
            return None
        granted = self._granted(headers)
        if not granted:
            return None
        wanted = header(headers, b"access-control-request-headers") or USUAL_FIELDS
        if not _FIELD_LETTERS.issuperset(wanted):
            wanted = USUAL_FIELDS
        more: Headers = [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", KEPT_S),
            (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
        ]
        if header(headers, b"access-control-request-private-network") == b"true":
            more.append((b"access-control-allow-private-network", b"true"))
        return [*granted, *more]

    def sending(self, scope: Scope, send: Send) -> Send:
        """`send`, with the answer's head completed."""
        granted = self._granted(scope["headers"])
        added: Headers = [(b"vary", b"origin")]
        if granted:
            added = [*granted, (b"access-control-expose-headers", EXPOSED), *added]

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        return complete

    def _granted(self, headers: Headers) -> Headers:
        origin = header(headers, b"origin")
        if origin is None:
            return []
        if origin.lower() in self._named:
            return [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
            ]
        return [(b"access-control-allow-origin", b"*")] if self._any else []
