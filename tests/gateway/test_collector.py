"""What is served leaves nothing for the garbage collector, which therefore need not look at what is old."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from benchmarks.gateway.engine import END, HEAD, LAST, PIECE, WHOLE
from benchmarks.gateway.without_sockets import client_of, engine_of, gateway, request
from gateway.app import Gateway
from gateway.collector import LEAST_S, MOST_S, QUIET_S, QuietCollector

STREAM = request(b',"stream":true')


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Nothing but `gc.collect` collects, and it finds nothing of what was there before."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def served(running: Gateway) -> None:
    """A whole answer, then a stream."""
    client, engine = client_of(running), engine_of(running)
    client.data_received(request())
    engine.data_received(WHOLE)
    client.data_received(STREAM)
    for data in (HEAD + PIECE, PIECE, LAST + END):
        engine.data_received(data)
    client.connection_lost(None)
    engine.connection_lost(None)


def left(running: Gateway) -> None:
    """The client goes in the middle of a stream."""
    client, engine = client_of(running), engine_of(running)
    client.data_received(STREAM)
    engine.data_received(HEAD + PIECE)
    client.connection_lost(None)
    engine.connection_lost(None)


def broken(running: Gateway) -> None:
    """The engine goes in the middle of a stream."""
    client, engine = client_of(running), engine_of(running)
    client.data_received(STREAM)
    engine.data_received(HEAD + PIECE)
    engine.connection_lost(None)
    client.connection_lost(None)


def refused(running: Gateway) -> None:
    """One runs, one waits, one finds no place; then the one that waits leaves, and the first is served."""
    clients, engine = [client_of(running) for _ in range(3)], engine_of(running)
    for client in clients:
        client.data_received(request())
    clients[1].connection_lost(None)
    engine.data_received(WHOLE)
    clients[0].connection_lost(None)
    clients[2].connection_lost(None)
    engine.connection_lost(None)


def unreadable(running: Gateway) -> None:
    """A body that is no JSON, and bytes that are no HTTP."""
    client = client_of(running)
    client.data_received(request().replace(b'{"model"', b'["model"'))
    client.data_received(b"\x00\r\n\r\n")
    client.connection_lost(None)


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("happens", [served, left, broken, refused, unreadable])
def test_a_request_leaves_no_circles(happens: object) -> None:
    """Circles that held a stream would stay for good, since the collector does not look at what is old."""
    assert callable(happens)

    async def looked() -> None:
        running = gateway(max_active=1, queue_max=1)
        happens(running)
        gc.collect()
        happens(running)
        assert gc.collect() == 0
        assert not running.service.running
        assert (running.room.admission.active, running.room.admission.queued) == (0, 0)

    asyncio.run(looked())


class Circle:
    """Holds itself."""

    itself: object = None


@pytest.mark.usefixtures("collector_off")
def test_the_collector_looks_in_quiet_moments_only() -> None:
    """By itself it looks at young objects; at all others when nobody has come or been served for a while."""
    collector, now_s = QuietCollector(0.0), 2 * LEAST_S
    assert gc.get_threshold()[2] > 10**9
    circle = Circle()
    circle.itself = circle
    known = weakref.ref(circle)
    del circle
    for arrived, running in ((1, 0), (1, 1), (2, 0)):
        now_s += QUIET_S
        collector.see(now_s, arrived, running)
        assert known() is not None
    collector.see(now_s + QUIET_S / 2, 2, 0)
    assert known() is not None
    collector.see(now_s + QUIET_S, 2, 0)
    assert known() is None


@pytest.mark.usefixtures("collector_off")
def test_who_is_never_quiet_is_looked_into_once_an_hour() -> None:
    """What the control plane leaves must not grow for as long as there are requests."""
    collector = QuietCollector(0.0)
    circle = Circle()
    circle.itself = circle
    known = weakref.ref(circle)
    del circle
    collector.see(MOST_S - 1, 1, 1)
    assert known() is not None
    collector.see(MOST_S, 2, 1)
    assert known() is None
