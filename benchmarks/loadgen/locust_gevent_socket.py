"""Our generator with its other reader: every connection read by a greenlet on a gevent socket, as TLS ones
are."""

from __future__ import annotations

import gevent.socket

from loadtests.locustfile import PlanShape, PlanUser
from loadtests.sending import client
from loadtests.sending.connections import GreenletConnection
from loadtests.sending.reading import Reading

__all__ = ["PlanShape", "PlanUser"]


def _read_in_a_greenlet(fd: int, reading: Reading) -> GreenletConnection:
    return GreenletConnection(gevent.socket.socket(fileno=fd), reading.times)


client.HubConnection = _read_in_a_greenlet  # type: ignore[assignment,misc] # that is the experiment
