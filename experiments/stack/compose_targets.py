"""Letting the compose stack's Prometheus scrape the load generators of a sweep, which run
outside of its containers.

A container reaches this machine at the gateway address of the stack's network. The generators' metrics listen
there instead of on 127.0.0.1, and a file in `compose/targets/` names them to Prometheus for as long as the
sweep runs. Only the Experiment dashboard needs this; where it cannot be done, a sweep measures all the same.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.files import write_json

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def announced(
    load_ports: Sequence[int],
    settings: Mapping[str, str],
    tell: Callable[[str], None],
    folder: Path,
) -> Iterator[str]:
    """The address that the generators' metrics are to listen on, known to the stack's Prometheus inside the
    `with` block; 127.0.0.1, and a line that says why, where containers cannot reach this machine.
    """
    address = network_gateway(f"{settings.get('COMPOSE_PROJECT_NAME') or 'headroom'}_default")
    if address is None or not _is_ours(address):
        tell(
            "the stack's Prometheus cannot reach the load generators: the Experiment dashboard shows none of "
            "their metrics; the records have everything"
        )
        yield LOOPBACK
        return
    path = folder / "sweep.json"
    try:
        write_json(path, [{"targets": [f"{address}:{port}" for port in load_ports]}])
        path.chmod(0o644)
    except OSError as error:
        tell(f"{path} cannot be written ({error.strerror}): the Experiment dashboard shows no load generator")
        yield LOOPBACK
        return
    try:
        yield address
    finally:
        path.unlink(missing_ok=True)


def network_gateway(network: str) -> str | None:
    """This machine's address in a container network, or None where Docker and Podman know no such network."""
    for program in ("docker", "podman"):
        if shutil.which(program) is None:
            continue
        try:
            done = subprocess.run(
                [program, "network", "inspect", network],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            address = gateway_in(json.loads(done.stdout)) if done.returncode == 0 else None
        except (OSError, subprocess.TimeoutExpired, ValueError):
            continue
        if address is not None:
            return address
    return None


def gateway_in(inspected: Any) -> str | None:
    """The first IPv4 gateway in what `network inspect` prints: Docker's form or Podman's."""
    for network in inspected if isinstance(inspected, list) else []:
        docker = (network.get("IPAM") or {}).get("Config") or []
        for subnet in [*docker, *(network.get("subnets") or [])]:
            address = subnet.get("Gateway") or subnet.get("gateway")
            if address and ":" not in address:
                return str(address)
    return None


def _is_ours(address: str) -> bool:
    """Whether this machine has `address`: in a rootless or virtual machine's network it is not ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
