"""Who may do what: optional client keys, and the admin token. Comparisons take constant time."""

from hmac import compare_digest

from gateway.endpoint import Endpoint
from gateway.outcome import Outcome
from gateway.refusal import Fields, Refusal
from gateway.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Access:
    """Keys from the settings. Without client keys everyone may ask; without a token, admin is for loopback
    binds and nobody else.
    """

    def __init__(self, settings: Settings) -> None:
        keys = (settings.gateway_api_keys or "").split(",")
        self._keys = tuple(key.strip().encode() for key in keys if key.strip())
        self._admin_token = (settings.gateway_admin_token or "").encode()
        self._loopback = settings.gateway_host in LOOPBACK

    @property
    def keys_needed(self) -> bool:
        """Whether clients must send a key."""
        return bool(self._keys)

    def passes_clients_key(self, endpoint: Endpoint) -> bool:
        """Whether the engine gets the clients' own keys: nobody else has one for it, or looks at theirs."""
        return not self._keys and not endpoint.has_credentials

    def check_client(self, fields: Fields) -> None:
        """Raises Refusal 401 unless keys are off or one matches."""
        if self._keys and not any(self._matches(key) for key in _given(fields)):
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
