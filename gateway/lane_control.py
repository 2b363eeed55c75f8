"""`/admin/lanes`: the lanes in force, shown and replaced."""

import orjson
from fastapi import APIRouter, Request, Response
from structlog.typing import FilteringBoundLogger

from gateway.access import Access
from gateway.admin_body import admin_body
from gateway.lane_tables import LanesError, read, shown
from gateway.lanes_in_force import LanesInForce
from gateway.refusal import invalid
from gateway.settings import Settings

MOST_LANES_BYTES = 4_000_000
"""Ten thousand lanes with a key each are three quarters of that."""


class LaneControl:
    """The routes and what they read."""

    def __init__(
        self, settings: Settings, lanes: LanesInForce, access: Access, log: FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._access = access
        self._log = log

    def router(self) -> APIRouter:
        """Both routes."""
        router = APIRouter()
        for method, endpoint in (("GET", self.lanes), ("PUT", self.set_lanes)):
            router.add_api_route("/admin/lanes", endpoint, methods=[method], response_class=Response)
        return router

    async def lanes(self, request: Request) -> Response:
        """The lanes in force; of keys only how many there are."""
        self._access.check_admin(dict(reversed(request.headers.raw)))
        return self._shown()

    async def set_lanes(self, request: Request) -> Response:
        """Puts other lanes in the place of all that are in force, from JSON or TOML, and answers with them.

        Raises Refusal for what is not allowed, and 409 where others are in force than those that it is to
        replace; nothing changes then.
        """
        self._access.check_admin(dict(reversed(request.headers.raw)))
        body = await admin_body(request, MOST_LANES_BYTES, self._settings.body_timeout_s)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            tables = read(body, toml=kind == "application/toml")
            version = self._lanes.lanes.version
            if tables.version not in (None, version):
                text = f"Version {version} of the lanes is in force, not {tables.version}: read it first."
                raise invalid(text, "version", 409)
            self._lanes.replace(tables)
        except LanesError as error:
            raise invalid(f"{error}.") from None
        lanes = self._lanes.lanes
        self._log.info("lanes changed", reason="admin", version=lanes.version, lanes=len(lanes.lanes))
        return self._shown()

    def _shown(self) -> Response:
        content = shown(self._lanes.lanes, self._lanes.book)
        return Response(orjson.dumps(content), media_type="application/json")
