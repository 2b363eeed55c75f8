"""The compose stack's `.env`: its variables, and where each service is published.

Only Python's own library is imported: `make up` reads it before anything is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from experiments.errors import UserError

PORTS = {
    "GATEWAY_PORT": 8080,
    "VLLM_PORT": 8000,
    "PROMETHEUS_PORT": 9090,
    "ALERTMANAGER_PORT": 9093,
    "GRAFANA_PORT": 9091,
    "OPEN_WEBUI_PORT": 3000,
    "LOCUST_PORT": 8089,
}
"""Variable → the port where it is not set."""


def read_env(text: str) -> dict[str, str]:
    """The variables of an env file: `NAME=value` lines, quotes around a value taken
    off, comments left out."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        variables[name.strip()] = value
    return variables


def address(settings: Mapping[str, str], name: str, env_file: Path) -> str:
    """The URL of the service whose port the variable `name` sets.

    Raises:
        UserError: its value is no number.
    """
    port = settings.get(name) or str(PORTS[name])
    if not port.isdigit():
        raise UserError(f"{env_file}: {name} = {port!r} is not a port number")
    host = settings.get("BIND_ADDRESS") or "127.0.0.1"
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
