"""The one description of how a server is reached. A URL is taken apart here and nowhere else, so that nothing
behind it holds a password in a URL.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

from loadtests.reach.proxy import Proxy, basic, proxy_for

_FORM = "must be http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]"
_LOGIN = re.compile(r"(//).*@", re.DOTALL)


class UnreachableError(OSError):
    """The server could not be connected to, or the connection broke before a response was complete."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An HTTP server; `path` is the prefix before `/v1`.

    `login` is `user:password` from the URL, `api_key` a bearer token; empty where there is none. `proxy`:
    asked instead of the server itself.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    login: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    proxy: Proxy | None = None

    @classmethod
    def parse(cls, text: str, api_key: str = "", environ: Mapping[str, str] | None = None) -> Endpoint:
        """From `http://[user:password@]host[:port][/prefix]`; a trailing `/v1` is tolerated.

        `environ` (None: this process's) names the proxies. Raises ValueError with what is allowed; the
        sentence holds no password.
        """
        text = text.strip() if "//" in text else f"http://{text.strip()}"
        shown = without_login(text)
        try:
            parts = urlsplit(text)
            port, host = parts.port, parts.hostname or ""
        except ValueError as error:
            # Of what is no URL nobody knows which part of it is the password.
            reason = "no URL" if "@" in text else str(error)
            raise ValueError(f"{shown!r}: {reason}; {_FORM}") from None
        if parts.scheme not in ("http", "https") or not host or not _is_plain(parts.path):
            raise ValueError(f"{shown!r}: {_FORM}")
        if "@" in parts.path:
            raise ValueError(f"{shown!r}: / in a user name or password is written %2F; {_FORM}")
        if "?" in text or "#" in text:
            raise ValueError(f"{shown!r}: a query or a fragment has no meaning here; {_FORM}")
        userinfo, at, _ = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        made = cls(
            parts.scheme,
            host,
            port or (443 if parts.scheme == "https" else 80),
            parts.path.rstrip("/").removesuffix("/v1").rstrip("/"),
            f"{unquote(user)}:{unquote(password)}" if at else "",
            api_key,
        )
        return replace(made, proxy=proxy_for(made.scheme, host, made.port, _own(environ)))

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The address as it may be shown and stored."""
        usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{_bracketed(self.host) if usual else self.authority}{self.path}"

    def url_with_login(self) -> str:
        """The same for a process that takes the login there; never to be shown."""
        user, _, password = self.login.partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if self.login else ""
        return self.url.replace("//", f"//{login}", 1)

    def below(self, path: str) -> Endpoint:
        """The same server, further down."""
        return replace(self, path=self.path + path)

    def credentials(self) -> dict[str, str]:
        """The header fields that let us in.

        `Authorization` holds one of them only. Where a login and a key are both given, the login is for who
        stands in front, and the key goes into `X-API-Key`.
        """
        if not self.login:
            return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        fields = {"authorization": basic(self.login)}
        return fields | ({"x-api-key": self.api_key} if self.api_key else {})

    def request_prefix(self) -> str:
        """What goes before a path in a request line: a proxy for plain HTTP wants the whole address."""
        return f"http://{self.authority}{self.path}" if self._asks_proxy() else self.path

    def request_fields(self) -> dict[str, str]:
        """The credentials, and those for the proxy where each request goes to it."""
        fields = self.credentials()
        if self.proxy is not None and self._asks_proxy():
            fields |= self.proxy.credentials()
        return fields

    def tls(self) -> ssl.SSLContext | None:
        """Who is trusted: `SSL_CERT_FILE`, `SSL_CERT_DIR`, else the system's store; None for plain HTTP."""
        return ssl.create_default_context() if self.scheme == "https" else None

    def _asks_proxy(self) -> bool:
        return self.proxy is not None and self.scheme == "http"


def without_login(text: str) -> str:
    """A text with a URL in it as it may be shown: user and password left out, also of what is no URL."""
    return _LOGIN.sub(r"\1", text)


def _own(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_plain(path: str) -> bool:
    return all(33 <= ord(letter) <= 126 for letter in path)
