"""A plain socket on its way through a proxy, for clients that read and write themselves."""

from __future__ import annotations

import socket

from loadtests.reach.endpoint import Endpoint


def through_proxy(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    """Connected to the endpoint's proxy, or through it to the endpoint where that speaks TLS; not blocking.

    Raises OSError.
    """
    proxy = endpoint.proxy
    assert proxy is not None, "asked for only where there is one"
    sock = socket.create_connection((proxy.host, proxy.port), timeout_s)
    try:
        if endpoint.scheme == "https":
            proxy.tunnel(sock, endpoint.authority)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
