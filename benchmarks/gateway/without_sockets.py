"""A gateway without kernel and sockets: stand-ins for the transports on both of its sides take what is
written, and what arrives is handed to the connections as bytes.
"""

import asyncio
from io import StringIO

from uvicorn.server import ServerState

from gateway.app import Gateway
from gateway.client_connection import ClientConnection
from gateway.lane_book import LaneBook
from gateway.log import LogWriter, logger
from gateway.settings import Settings
from gateway.upstream_connection import EngineConnection

BODY = b'{"model":"bench","messages":[{"role":"user","content":"%b"}]%b}'


class StandIn(asyncio.Transport):
    """Takes everything at once. written: the last thing."""

    written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written = bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def request(more: bytes = b"", key: bytes = b"sk-bench") -> bytes:
    """As the load of the benchmark sends it; more: JSON fields behind the messages."""
    body = BODY % (b"y" * 200, more)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (key, len(body), body)
    )


def gateway(lanes: LaneBook | None = None, **settings: object) -> Gateway:
    """On the running loop."""
    writer = LogWriter(StringIO())
    return Gateway(Settings.model_validate(settings), writer, logger(writer, "warning"), lanes)


def client_of(served_by: Gateway) -> ClientConnection:
    """A client's connection to it."""
    connection = ClientConnection(None, ServerState(), {"listener": served_by.listener})  # type: ignore[arg-type]  # unused
    connection.connection_made(StandIn())
    return connection


def engine_of(asked_by: Gateway) -> EngineConnection:
    """A connection to its engine, idle."""
    connection = EngineConnection(asyncio.get_running_loop(), asked_by.upstream, 30.0)
    connection.connection_made(StandIn())
    asked_by.upstream.open.add(connection)
    asked_by.upstream.give_back(connection)
    return connection
