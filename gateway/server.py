"""The server process: binds, serves, and leaves in an orderly way on SIGTERM or SIGINT."""

import asyncio
import logging
import socket
import sys
import time
from types import FrameType

import uvicorn

from gateway.app import Gateway
from gateway.client_connection import ClientConnection
from gateway.lane_book import LaneBook
from gateway.log import Forward, LogWriter, logger
from gateway.recorder import of_settings
from gateway.settings import BadSettingError, Settings


class Server(uvicorn.Server):
    """uvicorn's server with our way out.

    First signal: readiness says 503, waiting requests and newcomers get 503, the listener stays open for
    DRAIN_DELAY_S, running requests have DRAIN_TIMEOUT_S to finish, the rest end with an error event. Second
    signal: that end, at once. The exit status is 0 both times.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_signal, sig)

    def _on_signal(self, sig: int) -> None:
        if self._draining is None:
            admission = self._gateway.room.admission
            self._gateway.log.info(
                "draining", signal=sig, waiting=admission.queued, running=admission.running
            )
            self._gateway.room.drain()
            self._draining = asyncio.create_task(self._drain())
        else:
            self._gateway.log.info("stopping at once", signal=sig)
            self._draining.cancel()
            self._gateway.stop_all()
            self.should_exit = True

    async def _drain(self) -> None:
        settings = self._gateway.settings
        await asyncio.sleep(settings.drain_delay_s)
        latest_s = time.monotonic() + settings.drain_timeout_s
        running = self._gateway.service.running
        while running and time.monotonic() < latest_s:  # noqa: ASYNC110 - an event would cost each request
            await asyncio.sleep(0.02)
        self._gateway.stop_all()
        self.should_exit = True


def run(settings: Settings, lanes: LaneBook | None) -> int:
    """Serves until a signal ends it. lanes: the first ones, None for none. Returns the exit status: 0, 1 when
    the address cannot be bound, or 2 when there can be no recording where one was asked for.
    """
    writer = LogWriter()
    log = logger(writer, settings.log_level)
    writer.start()
    forwarded = logging.getLogger("uvicorn.error")
    forwarded.handlers, forwarded.propagate = [Forward(log)], False
    forwarded.setLevel(logging.WARNING)
    try:
        recorder = of_settings(settings, log)
    except BadSettingError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    gateway = Gateway(settings, writer, log, lanes, recorder)
    config = uvicorn.Config(
        gateway,
        host=settings.gateway_host,
        port=settings.gateway_port,
        http=ClientConnection,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=int(settings.keep_alive_s) or 1,
        timeout_graceful_shutdown=2,
    )
    try:
        listening = _bind(settings.gateway_host, settings.gateway_port)
    except OSError as error:
        where = f"{settings.gateway_host}:{settings.gateway_port}"
        print(f"gateway: cannot listen on {where}: {error.strerror}", file=sys.stderr)
        return 1
    host, port = listening.getsockname()[:2]
    log.info(
        "listening",
        url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
        engine=settings.vllm_base_url,
    )
    if recorder is not None:
        recorder.start()
    try:
        Server(config, gateway).run([listening])
    finally:
        if recorder is not None:
            recorder.stop()
        writer.stop()
    return 0


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening
