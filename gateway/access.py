"""Who may do what: optional client keys, and the admin token. Comparisons take constant time."""

from hmac import compare_digest

from gateway.endpoint import Endpoint
from gateway.lane_book import WITHIN_FIELD, KnownLane, within_s
from gateway.lanes_in_force import LanesInForce
from gateway.outcome import Outcome
from gateway.refusal import Fields, Refusal
from gateway.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Access:
    """Keys from the settings and of the lanes. Where none is needed everyone may ask; without a token, admin
    is for loopback binds and nobody else.
    """

    def __init__(self, settings: Settings, lanes: LanesInForce) -> None:
        self._lanes = lanes
        keys = (settings.gateway_api_keys or "").split(",")
        self._keys = tuple(key.strip().encode() for key in keys if key.strip())
        self._admin_token = (settings.gateway_admin_token or "").encode()
        self._loopback = settings.gateway_host in LOOPBACK

    def passes_clients_key(self, endpoint: Endpoint) -> bool:
        """Whether the engine gets the clients' own keys: nobody else has one for it, or looks at theirs."""
        return not self._keys and not endpoint.has_credentials and self._lanes.book is None

    def client(self, fields: Fields) -> KnownLane | None:
        """Who asks: the lane, None where there are no lanes. Raises Refusal 401 where a key is needed that is
        neither a lane's nor one of the settings.
        """
        book = self._lanes.book
        if book is None:
            if self._keys:
                self._must_match(_given(fields))
            return None
        lane = book.of_bearer(fields.get(b"authorization", b""))
        if lane is None:
            given = _given(fields)
            lane = book.of_keys(given)
            if lane is None:
                if self._keys or book.refuses_unknown:
                    self._must_match(given)
                lane = book.unknown
        return book.said(lane, fields) if lane.trusted else lane

    def within_s(self, fields: Fields) -> float | None:
        """How soon a trusted client wants its request served, seconds; None where it does not say, and for
        anybody else, who would go before all others with it.
        """
        told, book = fields.get(WITHIN_FIELD), self._lanes.book
        if told is None or book is None:
            return None
        own = book.of_keys(_given(fields)) or book.unknown
        return within_s(told) if own.trusted else None

    def _must_match(self, given: list[bytes]) -> None:
        if not any(self._matches(key) for key in given):
            raise _unauthorized("A valid API key is needed: Authorization: Bearer KEY.")

    def _matches(self, given: bytes) -> bool:
        return sum(compare_digest(given, key) for key in self._keys) > 0

    def check_admin(self, fields: Fields) -> None:
        """Raises Refusal: 401 for a wrong token, 403 when no token is set on a bind that others can reach."""
        if not self._admin_token:
            if self._loopback:
                return
            message = "/admin is off: set GATEWAY_ADMIN_TOKEN, or listen on loopback."
            raise Refusal(Outcome.UNAUTHORIZED, 403, message, "permission_error")
        if not any(compare_digest(key, self._admin_token) for key in _given(fields)):
            raise _unauthorized("A valid admin token is needed: Authorization: Bearer GATEWAY_ADMIN_TOKEN.")


def _given(fields: Fields) -> list[bytes]:
    """The keys that a client sent: as a bearer token, or in `X-API-Key` where a proxy in front wants
    `Authorization` for a login.
    """
    scheme, _, token = fields.get(b"authorization", b"").partition(b" ")
    bearer = token.strip() if scheme.lower() == b"bearer" else b""
    return [bearer, fields.get(b"x-api-key", b"").strip()]


def _unauthorized(message: str) -> Refusal:
    return Refusal(Outcome.UNAUTHORIZED, 401, message, "authentication_error")
