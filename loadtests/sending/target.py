"""Where requests go."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


class UnreachableError(OSError):
    """The target could not be connected to, or the connection broke before a response was complete."""


@dataclass(frozen=True, slots=True)
class Target:
    """An OpenAI-compatible server; `path` is the prefix before `/v1`."""

    scheme: str
    host: str
    port: int
    path: str

    @staticmethod
    def parse(url: str) -> Target:
        """From `http://host[:port][/prefix]`; a trailing `/v1` is tolerated.

        Raises ValueError with what is allowed.
        """
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError(f"host = {url!r}: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"host = {url!r}: must be http://HOST[:PORT] or https://HOST[:PORT]")
        default = 443 if parts.scheme == "https" else 80
        path = parts.path.rstrip("/").removesuffix("/v1")
        return Target(parts.scheme, parts.hostname, port or default, path)

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"
