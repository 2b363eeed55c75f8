"""HTTP clients of httpx that reach a server as its `Endpoint` says."""

from __future__ import annotations

import ssl

import httpx

from loadtests.reach.endpoint import Endpoint
from loadtests.reach.proxy import Proxy


def client(endpoint: Endpoint, timeout_s: float) -> httpx.Client:
    """A client whose paths go after the endpoint's own; it takes nothing else from the environment."""
    return httpx.Client(
        base_url=endpoint.url,
        headers=endpoint.credentials(),
        verify=_trust(endpoint),
        proxy=_proxy(endpoint.proxy),
        timeout=timeout_s,
        trust_env=False,
    )


def async_client(endpoint: Endpoint, timeout_s: float) -> httpx.AsyncClient:
    """The same for an event loop."""
    return httpx.AsyncClient(
        base_url=endpoint.url,
        headers=endpoint.credentials(),
        verify=_trust(endpoint),
        proxy=_proxy(endpoint.proxy),
        timeout=timeout_s,
        trust_env=False,
    )


def _trust(endpoint: Endpoint) -> ssl.SSLContext:
    # Reading the system's certificates takes 20 ms, and plain HTTP needs none.
    return endpoint.tls() or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy(proxy: Proxy | None) -> httpx.Proxy | None:
    if proxy is None:
        return None
    user, _, password = proxy.login.partition(":")
    return httpx.Proxy(proxy.url, auth=(user, password) if proxy.login else None)
