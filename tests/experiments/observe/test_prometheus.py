"""What is asked of a Prometheus about one cell's window."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from experiments.observe.prometheus import ServerMetrics


@contextmanager
def empty_prometheus() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """URL of one that has no series, and the parameters of every range it was asked for."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            if "start" in query:
                asked.append(query)
            body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("start_s", "end_s"), [(100.2, 109.8), (100.6, 109.4), (100.0, 109.0)])
def test_a_window_is_never_widened(start_s: float, end_s: float) -> None:
    """The second after the window is the next cell's, which has other limits."""
    with empty_prometheus() as (url, asked):
        ServerMetrics(url).series(start_s, end_s)
    assert asked
    assert all(start_s <= float(query["start"]) and float(query["end"]) <= end_s for query in asked)
