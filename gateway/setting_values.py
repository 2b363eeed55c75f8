"""Reading what people and orchestrators write into a setting: forms that mean the same become one value."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

LOG_LEVELS = ("debug", "info", "warning", "error")
OTHER_LEVELS = {"trace": "debug", "notset": "debug", "warn": "warning", "critical": "error", "fatal": "error"}
BASE_URL_FORM = "allowed: http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]"
ORIGIN_FORM = "allowed: * or a comma-separated list of http(s)://HOST[:PORT]"
HOST_FORM = "allowed: an address or a host name, without scheme and port"
SECRET_FORM = "allowed: visible ASCII characters without spaces"
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+:\d+", re.IGNORECASE)
_LOGIN = re.compile(r"(//).*@", re.DOTALL)
_LONGEST_NAME = 253


def base_url(value: str) -> str:
    """An http(s) address without a final slash, /v1 and login. Raises ValueError naming the allowed form."""
    try:
        parts = urlsplit(value.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        # Of what is no URL nobody knows which part of it is the password.
        why = "no URL" if "@" in value else str(error).lower()
        raise ValueError(f"{why}; {BASE_URL_FORM}") from None
    if parts.scheme not in ("http", "https") or not _is_name(host) or port == 0:
        raise ValueError(BASE_URL_FORM)
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError(f"a query or a fragment has no meaning here; {BASE_URL_FORM}")
    if "@" in parts.path:
        raise ValueError(f"/ in a user name or password is written %2F; {BASE_URL_FORM}")
    if not _is_plain(parts.path):
        raise ValueError(f"the path has characters that are not allowed in a URL; {BASE_URL_FORM}")
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def without_login(text: str) -> str:
    """A text with a URL in it as it may be shown: user and password left out, also of what is no URL."""
    return _LOGIN.sub(r"\1", text)


def origin(value: str) -> str:
    """One web origin as browsers send it. Raises ValueError naming the allowed form."""
    try:
        parts = urlsplit(value)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise ValueError(f"{value!r} is no origin; {ORIGIN_FORM}") from None
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not _is_name(host) or not host.isascii() or more:
        raise ValueError(f"{value!r} is no origin; {ORIGIN_FORM}")
    usual = 443 if parts.scheme == "https" else 80
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, usual) else f":{port}")


def origins(value: str) -> str:
    """A comma-separated list of origins in one spelling. Raises ValueError for what is none."""
    named = [part.strip() for part in value.split(",") if part.strip()]
    if not named:
        raise ValueError(ORIGIN_FORM)
    return ",".join(part if part == "*" else origin(part) for part in named)


def host(value: str) -> str:
    """An address to listen on, IPv6 with or without brackets. Raises ValueError for a URL or HOST:PORT."""
    name = value.strip()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if not _is_name(name) or name.count(":") == 1 or "/" in name:
        raise ValueError(HOST_FORM)
    return name


def log_level(value: str) -> str:
    """One of LOG_LEVELS, from any spelling in use. Raises ValueError for another."""
    level = value.strip().lower()
    level = OTHER_LEVELS.get(level, level)
    if level not in LOG_LEVELS:
        raise ValueError(f"allowed: {', '.join(LOG_LEVELS)}")
    return level


def secret(value: str) -> str:
    """A key without the line end that files bring along. Raises ValueError for what no header can carry."""
    key = value.strip()
    if not key or not all(33 <= ord(letter) <= 126 for letter in key):
        raise ValueError(SECRET_FORM)
    return key


def from_environment(environ: Mapping[str, str], name: str) -> str | None:
    """The text of a setting, or None where nothing was meant: unset, empty, or Kubernetes' own.

    A Kubernetes service called `gateway` gives every pod beside it GATEWAY_PORT=tcp://ADDRESS:PORT. Nobody
    set that, so the default stays. A pair of quotes, which `docker --env-file` keeps, is taken off.
    """
    text = environ.get(name.upper(), "").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if text == "" or (name.endswith("_port") and _SERVICE_LINK.fullmatch(text)):
        return None
    return text


def _is_name(host: str) -> bool:
    """Whether a resolver can be asked for it."""
    if (
        not host
        or len(host) > _LONGEST_NAME
        or not host.isprintable()
        or any(c in host for c in " *\\,<>\"'")
    ):
        return False
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _is_plain(path: str) -> bool:
    return all(33 <= ord(letter) <= 126 for letter in path)
