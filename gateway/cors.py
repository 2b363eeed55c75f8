"""Cross-origin requests of browsers, for the origins that the operator has named."""

from gateway.refusal import Fields, Headers

EXPOSED = (
    b"x-request-id, x-gateway-outcome, x-gateway-limits-version, x-gateway-lanes-version, "
    b"retry-after, retry-after-ms, server-timing"
)
METHODS = b"GET, HEAD, POST, OPTIONS"
USUAL_FIELDS = b"authorization, content-type"
KEPT_S = b"600"
_FIELD_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, ")


class Cors:
    """What is added to answers. Without origins it is never asked; `/admin` is never part of it.

    Where all origins are let in (`*`), credentials are not: a browser then sends no cookies along.
    any: whether there is one at all.
    """

    def __init__(self, origins: str | None) -> None:
        named = frozenset((origins or "").split(",")) - {""}
        self.any = bool(named)
        self._all = "*" in named
        self._named = frozenset(name.encode() for name in named - {"*"})

    def covers(self, path: str) -> bool:
        """Whether answers of that path may be for pages of other origins."""
        return self.any and not (path == "/admin" or path.startswith("/admin/"))

    def preflight(self, method: bytes, fields: Fields) -> Headers | None:
        """The fields of the 204 to a browser's question before a request, or None when it asks none or its
        origin is not let in.
        """
        if method != b"OPTIONS" or fields.get(b"access-control-request-method") is None:
            return None
        granted = self._granted(fields)
        if not granted:
            return None
        wanted = fields.get(b"access-control-request-headers") or USUAL_FIELDS
        if not _FIELD_LETTERS.issuperset(wanted):
            wanted = USUAL_FIELDS
        more: Headers = [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", KEPT_S),
            (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
        ]
        if fields.get(b"access-control-request-private-network") == b"true":
            more.append((b"access-control-allow-private-network", b"true"))
        return [*granted, *more]

    def added(self, fields: Fields) -> Headers:
        """The fields that the answer to a request with these gets."""
        granted = self._granted(fields)
        vary = (b"vary", b"origin")
        return [*granted, (b"access-control-expose-headers", EXPOSED), vary] if granted else [vary]

    def _granted(self, fields: Fields) -> Headers:
        origin = fields.get(b"origin")
        if origin is None:
            return []
        if origin.lower() in self._named:
            return [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
            ]
        return [(b"access-control-allow-origin", b"*")] if self._all else []
