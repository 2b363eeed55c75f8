"""Everything that is not a completion: health, readiness, metrics, models, the admin API."""

import time
from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from gateway.access import Access
from gateway.admin_body import admin_body
from gateway.limits import Limits
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.outcome import Outcome
from gateway.probe import Probe
from gateway.refusal import Refusal, invalid, model_not_found
from gateway.settings import LiveSettings, Settings, explain
from gateway.token_slots import TokenSlots
from gateway.waiting import WaitingRoom

MOST_ADMIN_BYTES = 10_000


class Control:
    """The routes and what they read."""

    def __init__(
        self,
        settings: Settings,
        room: WaitingRoom,
        metrics: Metrics,
        access: Access,
        probe: Probe,
        log: FilteringBoundLogger,
        token_slots: TokenSlots,
    ) -> None:
        self._settings = settings
        self._room = room
        self._metrics = metrics
        self._access = access
        self._probe = probe
        self._log = log
        self._token_slots = token_slots

    def router(self) -> APIRouter:
        """All control routes."""
        routes: list[tuple[str, str, Callable[..., Awaitable[Response]]]] = [
            ("GET", "/health", self.health),
            ("GET", "/ready", self.ready),
            ("GET", "/metrics", self.metrics),
            ("GET", "/v1/models", self.models),
            ("GET", "/v1/models/{name:path}", self.model),
            ("GET", "/admin/limits", self.limits),
            ("PUT", "/admin/limits", self.set_limits),
            ("GET", "/admin/state", self.state),
        ]
        router = APIRouter()
        for method, path, endpoint in routes:
            router.add_api_route(path, endpoint, methods=[method], response_class=Response)
        return router

    async def health(self) -> Response:
        """Liveness: 200 as long as the process answers. The engine's state is shown, not judged."""
        return _json({"status": "ok", "draining": self._room.admission.draining, "engine": self._engine()})

    async def ready(self) -> Response:
        """Readiness. Raises Refusal 503 while draining, or while the engine fails its health probe."""
        if self._room.admission.draining:
            raise Refusal(Outcome.DRAINING, 503, "The gateway is shutting down.", "server_shutting_down")
        if not self._probe.healthy:
            why = f"The engine is not ready: {self._probe.why}."
            raise Refusal(
                Outcome.UPSTREAM_ERROR, 503, why, "upstream_unreachable", come_back=True, wait_s=1.0
            )
        return _json({"status": "ready", "engine": self._engine()})

    async def metrics(self) -> Response:
        """Prometheus text."""
        return Response(self._metrics.text(), headers={"content-type": CONTENT_TYPE.decode()})

    async def models(self, request: Request) -> Response:
        """The engine's own list as last seen, with its age in seconds. Raises Refusal while there is none."""
        self._access.client(dict(reversed(request.headers.raw)))
        body, listed_s = self._known_models()
        return Response(
            body, media_type="application/json", headers={"age": f"{time.monotonic() - listed_s:.0f}"}
        )

    async def model(self, name: str, request: Request) -> Response:
        """One entry of that list. Raises Refusal 404 when it is not in it."""
        self._access.client(dict(reversed(request.headers.raw)))
        body, _ = self._known_models()
        known = {model.get("id"): model for model in orjson.loads(body)["data"]}
        if name not in known:
            raise model_not_found(name, [str(one) for one in known])
        return _json(known[name])

    async def limits(self, request: Request) -> Response:
        """The limits in force."""
        self._access.check_admin(dict(reversed(request.headers.raw)))
        return _json(_shown(self._room.admission.limits))

    async def set_limits(self, request: Request) -> Response:
        """Changes any subset of the limits; answers with all that are in force now.

        Raises Refusal when the body is late, too large, no JSON object, or has a value that is not allowed.
        """
        self._access.check_admin(dict(reversed(request.headers.raw)))
        body = await admin_body(request, MOST_ADMIN_BYTES, self._settings.body_timeout_s)
        try:
            wanted = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise invalid(f"The request body is not valid JSON: {error}.") from None
        if type(wanted) is not dict:
            raise invalid("The request body must be a JSON object of settings.")
        before = self._room.admission.limits
        now = {name: getattr(before, name) for name in LiveSettings.model_fields} | wanted
        try:
            live = LiveSettings.model_validate_json(orjson.dumps(now), strict=True)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise invalid(explain(error, now), str(fault["loc"][0]) if fault["loc"] else None) from None
        values = {name: getattr(live, name) for name in LiveSettings.model_fields if name in wanted}
        after = before.changed(**values)
        self._room.resize(after)
        self._token_slots.follow()
        self._log.info("limits changed", reason="admin", **_shown(after))
        return _json(_shown(after))

    async def state(self, request: Request) -> Response:
        """What is going on now. arrived = the sum of outcomes + in_flight, at any time. lanes: those in which
        something runs or waits; kv_tokens: null where slots do not count tokens.
        """
        self._access.check_admin(dict(reversed(request.headers.raw)))
        admission = self._room.admission
        outcomes = self._metrics.outcomes()
        return _json(
            {
                "active": admission.active,
                "active_limit": admission.limits.max_active,
                "running": admission.running,
                "queued": admission.queued,
                "queue_limit": admission.limits.queue_max,
                "draining": admission.draining,
                "version": admission.limits.version,
                "arrived": self._metrics.arrived,
                "in_flight": self._metrics.arrived - sum(outcomes.values()),
                "outcomes": outcomes,
                "engine": self._engine(),
                "kv_tokens": self._kv_tokens(),
                "lanes_version": admission.lanes.version,
                "lanes": {
                    use.lane.name: {"active": use.held, "queued": use.waiting}
                    for use in admission.uses
                    if use.held or use.waiting
                },
            }
        )

    def _engine(self) -> dict[str, object]:
        checked_s = self._probe.checked_s
        return {
            "healthy": self._probe.healthy,
            "why": self._probe.why,
            "age_s": None if checked_s is None else round(time.monotonic() - checked_s, 3),
            "models": sorted(self._probe.models),
        }

    def _kv_tokens(self) -> dict[str, object] | None:
        slots = self._token_slots
        return {"held": slots.held, "budget": slots.budget, "why": slots.why} if slots.wanted else None

    def _known_models(self) -> tuple[bytes, float]:
        if self._probe.models_body is None or self._probe.models_s is None:
            why = f"The engine's models are not known: {self._probe.models_why}."
            raise Refusal(
                Outcome.UPSTREAM_ERROR, 503, why, "upstream_unreachable", come_back=True, wait_s=1.0
            )
        allowed = self._settings.models()
        body = self._probe.models_body
        if allowed:
            listed = orjson.loads(body)
            shown = [model for model in listed["data"] if model.get("id") in allowed]
            body = orjson.dumps({**listed, "data": shown})
        return body, self._probe.models_s


def _shown(limits: Limits) -> dict[str, object]:
    names = (*LiveSettings.model_fields, "version")
    return {name: getattr(limits, name) for name in names}


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
