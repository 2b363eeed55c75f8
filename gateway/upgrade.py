"""A request that offers to go over to another protocol, as the plain HTTP/1.1 request that it also is."""

from collections.abc import Sequence

OFFERS = (b"upgrade", b"http2-settings")


def declined(method: bytes, target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The request's head without the offer (RFC 9110, 7.8: a server may ignore it).

    headers: with lower-case names, as a parser has read them; what else Connection names is kept.
    """
    lines = [b"%s %s HTTP/%s\r\n" % (method, target, version.encode())]
    for name, value in headers:
        kept = value
        if name in OFFERS:
            continue
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            kept = b", ".join(option for option in options if option and option.lower() not in OFFERS)
            if not kept:
                continue
        lines.append(b"%s: %s\r\n" % (name, kept))
    return b"".join(lines) + b"\r\n"
