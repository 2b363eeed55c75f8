"""How the engine is reached: address, path, credentials, proxy, certificates. No URL behind this has a login.

The load generator has the like for its target (`loadtests.reach`), since neither package knows the other; a
test holds both to the same table.
"""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from gateway.proxy import Proxy, proxy_for
from gateway.refusal import Headers


@dataclass(frozen=True, slots=True)
class Endpoint:
    """path: before /v1, without a final slash; login: `user:password`, api_key: a bearer token, empty where
    there is none; proxy: asked instead of the engine itself.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str
    login: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    proxy: Proxy | None = None

    @classmethod
    def of(cls, url: str, login: str, api_key: str, environ: Mapping[str, str]) -> "Endpoint":
        """From `setting_values.base_url` and `login_of`. Raises ValueError for an unusable proxy."""
        parts = urlsplit(url)
        host, usual = parts.hostname or "", 443 if parts.scheme == "https" else 80
        port = parts.port or usual
        proxy = proxy_for(parts.scheme, host, port, environ)
        name = host if host.isascii() else host.encode("idna").decode("ascii")
        authority = parts.netloc if host.isascii() else f"{name}:{port}"
        return cls(parts.scheme, host, port, authority, parts.path, login, api_key, proxy)

    @property
    def url(self) -> str:
        """The address as it may be shown."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority_with_port(self) -> str:
        """Host and port, the usual one too."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def has_credentials(self) -> bool:
        """Whether the gateway has a key or a login of its own."""
        return bool(self.login or self.api_key)

    def credentials(self) -> Headers:
        """The fields that let us in.

        `Authorization` holds one of them only: where there is a login, for who stands in front of the engine,
        the key goes into `X-API-Key`.
        """
        if not self.login:
            return [(b"authorization", b"Bearer " + self.api_key.encode())] if self.api_key else []
        basic = (b"authorization", b"Basic " + base64.b64encode(self.login.encode()))
        return [basic, (b"x-api-key", self.api_key.encode())] if self.api_key else [basic]

    def secrets(self) -> tuple[str, ...]:
        """What no client may be told, as it is sent or may be quoted, longest first. Shorter than four
        letters it could not be told from other words.
        """
        password = self.login.partition(":")[2]
        encoded = base64.b64encode(self.login.encode()).decode()
        forms = {self.api_key, self.login, password, encoded}
        return tuple(sorted((form for form in forms if len(form) >= 4), key=len, reverse=True))

    def request_prefix(self) -> bytes:
        """What goes before a path in a request line: a proxy for plain HTTP wants the whole address."""
        return (self.url if self.proxy is not None and self.scheme == "http" else self.path).encode("ascii")

    def request_fields(self) -> Headers:
        """Host and credentials, those for the proxy too where each request goes to it."""
        fields = [(b"host", self.authority.encode("ascii")), *self.credentials()]
        if self.proxy is not None and self.scheme == "http":
            fields += self.proxy.credentials()
        return fields

    def tls(self) -> ssl.SSLContext | None:
        """Who is trusted: SSL_CERT_FILE, SSL_CERT_DIR, else the system's store; None for plain HTTP."""
        return ssl.create_default_context() if self.scheme == "https" else None


def login_of(url: str) -> str:
    """`user:password` of a URL, its escapes undone; empty where there is none."""
    userinfo, at, _ = urlsplit(url.strip()).netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return f"{unquote(user)}:{unquote(password)}" if at else ""
