"""`loadtests.reach.http_client` for a library that is built on requests."""

from __future__ import annotations

import ssl

import requests

from loadtests.reach.endpoint import Endpoint


def session(endpoint: Endpoint) -> requests.Session:
    """One that reaches the server as its `Endpoint` says."""
    made = requests.Session()
    made.trust_env = False
    trusted = ssl.get_default_verify_paths()
    made.verify = trusted.cafile or trusted.capath or True
    made.headers.update(endpoint.credentials())
    if endpoint.proxy is not None:
        made.proxies = {endpoint.scheme: endpoint.proxy.url_with_login()}
    return made
