"""Wiring: which object gets which, and which path goes where."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from gateway.access import Access
from gateway.account import Account
from gateway.breaker import Breaker
from gateway.cache_probe import CacheProbe
from gateway.call import CancelReason
from gateway.chat import Chat
from gateway.collector import QuietCollector
from gateway.control import Control
from gateway.cors import Cors
from gateway.deadlines import Deadlines
from gateway.engine import Engine
from gateway.engine_failure import EngineFailure
from gateway.front import Front, route_of
from gateway.lane_book import LaneBook
from gateway.lane_control import LaneControl
from gateway.lane_counts import Lines
from gateway.lanes_in_force import LanesInForce
from gateway.limits import QueueMode
from gateway.listener import Listener
from gateway.log import LogWriter
from gateway.metrics import Metrics, Sample
from gateway.outcome import Outcome, Route
from gateway.probe import Probe
from gateway.recorder import Recorder
from gateway.refusal import Refusal, internal
from gateway.relays import Relays
from gateway.request_body import BodyRules
from gateway.routing import routing
from gateway.service import Service
from gateway.settings import Settings
from gateway.token_needs import TokenNeeds
from gateway.token_slots import TokenSlots
from gateway.upstream import Upstream
from gateway.waiting import WaitingRoom
from gateway.waits import Waits


class Gateway(FastAPI):
    """Wires the parts of one gateway. As an ASGI application it is the control plane."""

    def __init__(
        self,
        settings: Settings,
        writer: LogWriter,
        log: FilteringBoundLogger,
        lanes: LaneBook | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__(title="Headroom gateway", docs_url=None, redoc_url=None, lifespan=_lifespan)
        self.settings = settings
        self.log = log
        self.writer = writer
        self.recorder = recorder
        self.room = WaitingRoom(settings.limits(), time.monotonic)
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_cooldown_s)
        self.lanes = LanesInForce(self.room, lanes)
        needs = TokenNeeds()
        slots = TokenSlots(self.room, needs, log, settings.kv_tokens)
        access = Access(settings, self.lanes)
        endpoint = settings.engine(os.environ)
        self.upstream = Upstream(
            endpoint,
            settings.upstream_keep_alive_s,
            settings.connect_timeout_s,
            settings.stall_timeout_s,
        )
        passes_keys = access.passes_clients_key(endpoint)
        cache = None if slots.given else CacheProbe(endpoint, slots)
        interval_s = settings.probe_interval_s
        self.probe = Probe(
            endpoint, interval_s, self.breaker, log, clients_bring_keys=passes_keys, cache=cache
        )
        self.metrics = Metrics(self._samples, self._lane_lines)
        deadlines = Deadlines()
        self.service = Service(
            settings=settings,
            room=self.room,
            waits=Waits(self.room, self.metrics),
            engine=Engine(endpoint, self.upstream, self.breaker, self.probe, passes_keys),
            relays=Relays(settings, self.metrics, EngineFailure(endpoint)),
            account=Account(self.metrics, log, settings.log_level, recorder),
            metrics=self.metrics,
            deadlines=deadlines,
            log=log,
            rules=_body_rules(settings, recorder, needs),
            recorder=recorder,
        )
        front = Front(Chat(self.service, access), self, Cors(settings.allowed_origins), self.metrics)
        self.listener = Listener(settings, front, deadlines, self._count, _connection_bound(settings))
        self.loop_lag_s = 0.0
        self._process = psutil.Process()
        self._instance = secrets.token_hex(8)
        control = Control(settings, self.room, self.metrics, access, self.probe, log, slots)
        self.include_router(control.router())
        self.include_router(LaneControl(settings, self.lanes, access, log).router())
        self.add_exception_handler(Refusal, _on_refusal)
        self.add_exception_handler(HTTPException, _on_http_exception)
        self.add_exception_handler(Exception, _on_exception)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        route = route_of(scope["path"])

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                outcome = dict(message["headers"]).get(b"x-gateway-outcome", b"ok")
                self._count(route, Outcome(outcome.decode()), message["status"])
            await send(message)

        await super().__call__(scope, receive, counting)

    def stop_all(self) -> None:
        """Cancels every request that still runs: an error event or a 503 is its end."""
        for completion in list(self.service.running):
            completion.cut(CancelReason.STOPPING)

    def _count(self, route: Route, outcome: Outcome, status: int) -> None:
        self.metrics.requests[route, outcome, status] += 1

    def _samples(self) -> Iterator[Sample]:
        admission = self.room.admission
        admission.advance(time.monotonic())
        limits = admission.limits
        yield Sample("gateway_active", "", admission.active)
        yield Sample("gateway_active_limit", "", limits.max_active)
        yield Sample("gateway_queue_depth", "", admission.queued)
        yield Sample(
            "gateway_queue_limit", "", limits.queue_max if limits.queue_mode is QueueMode.QUEUE else 0
        )
        if admission.pool is not None:
            yield Sample("gateway_kv_tokens_held", "", admission.pool.held)
            yield Sample("gateway_kv_tokens_limit", "", admission.pool.budget)
        yield Sample("gateway_active_seconds_total", "", admission.active_seconds)
        yield Sample("gateway_queue_seconds_total", "", admission.queue_seconds)
        yield Sample("gateway_queue_full_seconds_total", "", admission.queue_full_seconds)
        yield Sample("gateway_limits_version", "", limits.version)
        yield Sample("gateway_lanes_version", "", admission.lanes.version)
        yield Sample("gateway_draining", "", int(admission.draining))
        yield Sample("gateway_breaker_state", "", int(self.breaker.state))
        yield Sample("gateway_limit_changes_total", 'reason="admin"', self.room.limit_changes)
        yield Sample("gateway_lane_changes_total", 'reason="admin"', self.lanes.changes)
        for state, count in self.upstream.connections().items():
            yield Sample("gateway_upstream_connections", f'state="{state}"', count)
        yield Sample("gateway_upstream_retries_total", "", self.upstream.retries)
        yield Sample("gateway_client_connections", "", len(self.listener.open))
        yield Sample("gateway_connections_refused_total", "", self.listener.refused_connections)
        yield Sample("gateway_event_loop_lag_seconds", "", self.loop_lag_s)
        yield Sample("gateway_log_lines_dropped_total", "", self.writer.dropped)
        if self.recorder is not None:
            yield Sample("gateway_records_total", "", self.recorder.written)
            yield Sample("gateway_records_lost_total", "", self.recorder.lost)
            yield Sample("gateway_records_bytes", "", self.recorder.disk_bytes)
        yield from self._process_samples()

    def _lane_lines(self) -> Iterator[Lines]:
        book = self.lanes.book
        if book is None:
            return
        for use in self.room.admission.uses:
            counts = book.by_name[use.lane.name].counts
            lines = counts.lines()
            yield lines
            if lines or use.held or use.waiting:
                yield counts.now(use.held, use.waiting)
        for ttft in book.class_ttft.values():
            if ttft.count:
                yield ((ttft.name, ttft.text()),)

    def _process_samples(self) -> Iterator[Sample]:
        with self._process.oneshot():
            cpu = self._process.cpu_times()
            yield Sample("gateway_open_fds", "", _open_files() or self._process.num_fds())
            yield Sample("gateway_resident_bytes", "", self._process.memory_info().rss)
            yield Sample("gateway_cpu_seconds_total", "", cpu.user + cpu.system)
        yield Sample("gateway_build_info", f'version="{_version()}"', 1)
        yield Sample("gateway_instance_info", f'id="{self._instance}"', 1)


def _body_rules(settings: Settings, recorder: Recorder | None, needs: TokenNeeds) -> BodyRules:
    return BodyRules(
        settings.max_choices,
        settings.model_name,
        settings.models(),
        settings.ask_usage,
        settings.upstream_priority,
        None if recorder is None else recorder.prefixes,
        needs,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Listener]]:
    assert isinstance(app, Gateway)
    tasks = [asyncio.create_task(app.probe.run()), asyncio.create_task(_watch_loop(app))]
    try:
        yield {"listener": app.listener}
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        app.upstream.stop()


async def _watch_loop(app: Gateway, every_s: float = 0.1, kept: int = 10) -> None:
    """Keeps the largest delay of the last second's wake-ups, and tells the collector of quiet moments."""
    collector = QuietCollector(time.monotonic())
    lags: list[float] = []
    while True:
        due_s = time.monotonic() + every_s
        await asyncio.sleep(every_s)
        now_s = time.monotonic()
        lags = [*lags[-kept + 1 :], max(0.0, now_s - due_s)]
        app.loop_lag_s = max(lags)
        collector.see(now_s, app.metrics.arrived, len(app.service.running))


def _answer(refusal: Refusal) -> Response:
    headers = {name.decode(): value.decode() for name, value in refusal.headers()}
    if refusal.close:
        headers["connection"] = "close"
    return Response(refusal.body(), refusal.status, headers)


async def _on_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _answer(error)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allow = (error.headers or {}).get("Allow")
    if allow and "GET" in allow and "HEAD" not in allow:
        allow = allow.replace("GET", "GET, HEAD")
    return _answer(routing(error.status_code, allow.encode() if allow else None))


async def _on_exception(request: Request, error: Exception) -> Response:
    request.app.log.error("internal error", path=request.url.path, error=repr(error))
    return _answer(internal())


def _connection_bound(settings: Settings) -> int:
    """max_connections, but never more than three quarters of the files this process may open."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard != resource.RLIM_INFINITY:
            return min(settings.max_connections, hard * 3 // 4)
    return settings.max_connections


def _open_files() -> int:
    """The kernel's own count (Linux 6.2 and later); 0 where it has none. Listing the files would take a
    millisecond for every thousand of them, at each scrape.
    """
    with suppress(OSError):
        return Path("/proc/self/fd").stat().st_size
    return 0


def _version() -> str:
    try:
        return version("llm-headroom")
    except PackageNotFoundError:
        return "unknown"
