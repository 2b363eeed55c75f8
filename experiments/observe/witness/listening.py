"""Which process of this machine serves an address, and whether it may be anywhere else."""

from __future__ import annotations

import ipaddress
import socket

import psutil

from loadtests.reach.endpoint import Endpoint

_CARRIERS = ("docker-proxy", "rootlessport", "slirp4netns", "pasta", "conmon", "ssh", "kubectl")
"""Programs that listen for a server which is somewhere else: in a container, on another machine."""


def is_here(endpoint: Endpoint) -> bool:
    """Whether the address is one of this machine's."""
    if endpoint.proxy is not None:
        return False
    if endpoint.host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(endpoint.host)
    except ValueError:
        return endpoint.host == socket.gethostname()
    own = {of.address.partition("%")[0] for card in psutil.net_if_addrs().values() for of in card}
    return address.is_loopback or str(address) in own


def process_of(endpoint: Endpoint) -> int | None:
    """The number of the process that serves there; None where the system does not tell (such as of another
    user's), or where that process only passes everything on to a server that is not known."""
    try:
        listening = [
            of.pid or 0
            for of in psutil.net_connections("tcp")
            if of.status == psutil.CONN_LISTEN and of.laddr and of.laddr.port == endpoint.port
        ]
        first = min(listening, default=0)  # its workers have the socket from it
        if first == 0:
            return None
        return None if psutil.Process(first).name().startswith(_CARRIERS) else first
    except (psutil.Error, OSError):
        return None
