"""Ports on this machine: one that is free, one that must be, and whether something answers there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import httpx

from experiments.errors import EnvironmentProblem
from loadtests.reach import http_client
from loadtests.reach.endpoint import Endpoint


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on now (the kernel's choice, 1024–65535)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, host: str = "127.0.0.1", *, what: str = "the server") -> int:
    """Return `port` if it can be listened on.

    Raises:
        EnvironmentProblem: it is in use or not allowed; the sentence names port, host and `what` wanted it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise EnvironmentProblem(
                f"port {port} on {host}, wanted for {what}, cannot be used ({error.strerror}); "
                "end the program that has it or choose another port"
            ) from error
    return port


def answers(url: str, *, timeout_s: float = 2.0) -> Callable[[], bool]:
    """A question for `process.running(ready=…)`: does `url` answer 200 within `timeout_s` seconds?"""
    page = Endpoint.parse(url)
    server, path = replace(page, path=""), page.path or "/"

    def ask() -> bool:
        try:
            with http_client.client(server, timeout_s) as http:
                return http.get(path).status_code == 200
        except httpx.HTTPError:
            return False

    return ask
