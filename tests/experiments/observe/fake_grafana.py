"""A Grafana at the wire: takes annotations, or refuses them, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class FakeGrafana:
    """What came in: (authorization header, body) of each annotation."""

    port: int = 0
    status: int = 200
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running(status: int = 200) -> Iterator[FakeGrafana]:
    """It answers annotations with `status` inside the `with` block, and its health with 200."""
    grafana = FakeGrafana(status=status)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200 if self.path == "/api/health" else 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/api/annotations"
            grafana.posted.append((self.headers["authorization"] or "", body))
            self._reply(grafana.status)

        def _reply(self, code: int) -> None:
            content = b'{"message":"Annotation added","id":1}'
            self.send_response(code)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    grafana.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
