"""Which proxy stands before a server: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, and never for what is
on this machine.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

_LONGEST_HEAD = 65_536


class _Socket(Protocol):
    def sendall(self, data: bytes, /) -> object: ...

    def recv(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `login`: `user:password`, empty where it asks for none."""

    host: str
    port: int
    login: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Its address, without the login."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def url_with_login(self) -> str:
        """The same for a client that takes a proxy's login there; never to be shown."""
        user, _, password = self.login.partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if self.login else ""
        return self.url.replace("//", f"//{login}", 1)

    def credentials(self) -> dict[str, str]:
        """The header fields that let us through."""
        return {"proxy-authorization": basic(self.login)} if self.login else {}

    def tunnel(self, sock: _Socket, authority: str) -> None:
        """Asks for a connection to `authority` on a socket that is connected to the proxy.

        Raises OSError: it refuses.
        """
        fields = {"host": authority, **self.credentials()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sock.sendall(f"CONNECT {authority} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
        answer = b""
        # Byte by byte: what follows the head belongs to TLS.
        while not answer.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)
            if not byte or len(answer) > _LONGEST_HEAD:
                raise ProxyError(f"the proxy {self.url} closed the connection")
            answer += byte
        status = answer.split(b" ", 2)[1:2]
        if status != [b"200"]:
            said = b"".join(status).decode("latin-1") or "nothing that is HTTP"
            raise ProxyError(f"the proxy {self.url} refuses the way to {authority}: {said}")


def basic(login: str) -> str:
    """`user:password` as a field of HTTP's Basic scheme."""
    return "Basic " + base64.b64encode(login.encode()).decode("ascii")


class ProxyError(OSError):
    """The proxy does not let us through; the text is a clause that says so."""


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that the environment names for this server; None where it is asked directly.

    Raises ValueError: it is no http:// proxy. Of two spellings the one in small letters counts.
    """
    if is_loopback(host) or _is_excepted(host, port, _named(environ, "no_proxy")):
        return None
    # In a CGI program HTTP_PROXY comes from the client; nobody runs this as one, and curl's rule is the same.
    text = _named(environ, f"{scheme}_proxy") or _named(environ, "all_proxy")
    if not text:
        return None
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        proxy_host, proxy_port = parts.hostname or "", parts.port or 80
    except ValueError:
        proxy_host, proxy_port = "", 0
    if parts.scheme != "http" or not proxy_host:
        shown = f"{parts.scheme}://{parts.hostname or ''}"
        raise ValueError(f"{scheme.upper()}_PROXY names {shown}: only http://HOST[:PORT] proxies are used")
    userinfo, at, _ = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return Proxy(proxy_host, proxy_port, f"{unquote(user)}:{unquote(password)}" if at else "")


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine."""
    name = host.lower().rstrip(".")
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback or address.is_unspecified)


def _named(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY covers it: `*`, a name (with all below it), an address or a network, each with a port
    or for all of them."""
    name = host.lower().rstrip(".")
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*" or _covers(entry, name):
            return True
        of_entry, colon, number = entry.rpartition(":")
        if colon and number == str(port) and _covers(of_entry.strip("[]"), name):
            return True
    return False


def _covers(entry: str, name: str) -> bool:
    address = _address(name)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    below = entry.removeprefix("*").removeprefix(".")
    return bool(below) and (name == below or name.endswith(f".{below}"))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
