"""Questions to a server beside the load: one keep-alive connection."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from loadtests.reach import why
from loadtests.reach.endpoint import Endpoint, UnreachableError


class Control:
    """Asks one question at a time. Not for load."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        self.endpoint = endpoint
        self._connection = _connection(endpoint, timeout_s)
        self._fields = {"content-type": "application/json", **endpoint.request_fields()}

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Status and parsed JSON (None when it is not JSON). Raises UnreachableError."""
        status, content = self.read(method, path, body)
        try:
            return status, json.loads(content)
        except ValueError:
            return status, None

    def read(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        most_bytes: int | None = None,
    ) -> tuple[int, bytes]:
        """Status and content, the first `most_bytes` of it; a refused key or login counts as unreachable.

        Raises UnreachableError.
        """
        endpoint = self.endpoint
        payload = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, endpoint.request_prefix() + path, payload, self._fields)
            response = self._connection.getresponse()
            content = response.read(most_bytes)
            if not response.isclosed():  # what is left of it would be taken for the next answer
                self._connection.close()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(
                f"target {endpoint.authority} is unreachable: {why.unreachable(error, endpoint)}"
            ) from error
        refused = why.refused(response.status, response.headers.get("www-authenticate", ""), endpoint)
        if refused is not None:
            raise UnreachableError(f"target {endpoint.authority} cannot be used: {refused}")
        return response.status, content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _connection(endpoint: Endpoint, timeout_s: float) -> http.client.HTTPConnection:
    tls, proxy = endpoint.tls(), endpoint.proxy
    host, port = (endpoint.host, endpoint.port) if proxy is None else (proxy.host, proxy.port)
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls)
    if proxy is not None:
        connection.set_tunnel(endpoint.host, endpoint.port, proxy.credentials())
    return connection
