"""The HTTP client of the background probe, which reaches the engine as requests do."""

import ssl

import httpx

from gateway.endpoint import Endpoint


def client(endpoint: Endpoint, timeout_s: float, keep_s: float) -> httpx.AsyncClient:
    """With the endpoint's credentials, certificates and proxy, and none of httpx's own ideas of them."""
    proxy = endpoint.proxy
    user, _, password = proxy.login.partition(":") if proxy is not None else ("", "", "")
    return httpx.AsyncClient(
        headers=[*endpoint.credentials()],
        # A context of its own is slow to make, and plain HTTP needs none.
        verify=endpoint.tls() or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        proxy=None if proxy is None else httpx.Proxy(proxy.url, auth=(user, password) if user else None),
        timeout=timeout_s,
        trust_env=False,
        limits=httpx.Limits(max_connections=2, keepalive_expiry=keep_s),
    )


def is_page(answer: httpx.Response) -> bool:
    """Whether it is a web page, by its content type or its first bytes."""
    start = answer.content[:200].lstrip().lower()
    html = answer.headers.get("content-type", "").lower().startswith("text/html")
    return html or start.startswith((b"<!doctype html", b"<html"))
