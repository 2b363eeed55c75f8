"""Which path goes where: the engine's to `Chat`, everything else to the application of the control plane."""

import asyncio

from starlette.types import ASGIApp

from gateway.chat import Chat
from gateway.client import Exchange
from gateway.control_exchange import ControlExchange, path_of, scope_of
from gateway.cors import Cors
from gateway.error_form import OPENAI, ErrorForm, body_of
from gateway.listener import FrontClient
from gateway.metrics import Metrics
from gateway.outcome import Outcome, Route
from gateway.refusal import Refusal, lines
from gateway.request_reader import RequestReader
from gateway.routing import routing
from gateway.served import BY_PATH

_ROUTES = {
    **{path.decode(): served.route for path, served in BY_PATH.items()},
    "/health": Route.HEALTH,
    "/ready": Route.READY,
    "/metrics": Route.METRICS,
}


class Front:
    """A `listener.Desk`."""

    def __init__(self, chat: Chat, control: ASGIApp, cors: Cors, metrics: Metrics) -> None:
        self._chat = chat
        self._control = control
        self._cors = cors
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, client: FrontClient, request: RequestReader) -> Exchange | None:
        """Begins to answer. None: the answer is out already."""
        served = BY_PATH.get(request.target)
        if served is not None and request.method == b"POST" and not self._cors.any:
            return self._chat.serve(client, request, served)
        return self._serve_any(client, request)

    def _serve_any(self, client: FrontClient, request: RequestReader) -> Exchange | None:
        form: ErrorForm = OPENAI
        try:
            path = path_of(request.target)
            if self._cors.covers(path):
                allowed = self._cors.preflight(request.method, request.fields)
                if allowed is not None:
                    self._metrics.requests[route_of(path), Outcome.OK, 204] += 1
                    client.answer(204, lines(allowed), b"")
                    return None
                client.fields = lines(self._cors.added(request.fields))
            served = BY_PATH.get(path.encode())
            if served is None:
                return self._ask_control(client, request, path)
            form = served.errors
            if request.method != b"POST":
                raise routing(405, b"POST")
            return self._chat.serve(client, request, served)
        except Refusal as refusal:
            self._metrics.requests[Route.OTHER, refusal.outcome, refusal.status] += 1
            client.answer(refusal.status, refusal.fields(), body_of(form, refusal))
            return None

    def _ask_control(self, client: FrontClient, request: RequestReader, path: str) -> Exchange:
        exchange = ControlExchange(client, request)
        running = exchange.run(self._control, scope_of(request, path))
        task = asyncio.get_running_loop().create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return exchange


def route_of(path: str) -> Route:
    """The metric label of a path."""
    if path.startswith("/admin/"):
        return Route.ADMIN
    if path == "/v1/models" or path.startswith("/v1/models/"):
        return Route.MODELS
    return _ROUTES.get(path, Route.OTHER)
