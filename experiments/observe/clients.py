"""HTTP clients that reach a server as its `Endpoint` says, for everything that is asked beside the load."""

from __future__ import annotations

import ssl

import requests

from loadtests.reach.endpoint import Endpoint
from loadtests.reach.http_client import async_client, client

__all__ = ["async_client", "client", "session"]


def session(endpoint: Endpoint) -> requests.Session:
    """The same for a library that is built on requests."""
    made = requests.Session()
    made.trust_env = False
    trusted = ssl.get_default_verify_paths()
    made.verify = trusted.cafile or trusted.capath or True
    made.headers.update(endpoint.credentials())
    if endpoint.proxy is not None:
        made.proxies = {endpoint.scheme: endpoint.proxy.url_with_login()}
    return made
