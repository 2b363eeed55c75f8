"""Gateway, engine and Prometheus of one cell at the wire: one server that remembers what it was asked, and a
load generator that is a process of its own."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from experiments.observe import engine_metrics
from experiments.observe.engine_counters import samples_of
from experiments.observe.engine_growth import EngineGrowth
from experiments.observe.prometheus import HISTOGRAMS
from experiments.stack import process
from experiments.stack.load import LoadProcess
from gateway.limits import Limits
from loadtests.record import RequestRecord
from tests.experiments.measure import hand_made

IDLE = (0, 0)
GENERATOR = """
import http.client, os, shutil, sys, time
from pathlib import Path

port, folder, made = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

def tell(event):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", f"/generator/{event}")
    connection.getresponse().read()
    connection.close()

tell("ready")
(folder / "go.ready").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
tell("load")
if not (made / "load.json").exists():
    print("boom: no worker is left", flush=True)
    sys.exit(3)
shutil.copy(made / "records.jsonl", folder)
while not (made / "drained").exists():
    time.sleep(0.01)
tell("end")
shutil.copy(made / "load.json", folder / "part")
os.replace(folder / "part", folder / "load.json")
"""
"""Says when it is ready, begins with the go file, and ends once the test has seen the drain; without a result
to leave it dies."""


@dataclass(slots=True)
class FakeStack:
    """`log`: what was asked of gateway and engine, and what the generator did, in order; questions to
    Prometheus only call `when_queried`."""

    records: Sequence[RequestRecord]
    engine: EngineGrowth
    port: int = 0
    limits: Limits = field(default_factory=Limits)
    takes_limits: bool = True
    instance: str = "one"
    scraped: str = str(hand_made.CELL.setting.limits.max_active)
    """what Prometheus has of every series"""
    states: list[tuple[int, int]] = field(default_factory=list)
    """(active, queued) that are told before the gateway is idle"""
    prometheus_status: int = 200
    when_queried: Callable[[], object] = lambda: None
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the gateway; the engine is below /engine and Prometheus below /prometheus."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str]:
        """Status and body."""
        parts = urlsplit(target)
        if parts.path.startswith("/prometheus/"):
            self.when_queried()
            asked = parse_qs(parts.query)
            return self.prometheus_status, json.dumps(self._prometheus(parts.path, asked))
        self.log.append(f"{method} {parts.path}")
        if parts.path == "/admin/state":
            active, queued = self.states.pop(0) if self.states else IDLE
            return 200, json.dumps({"active": active, "queued": queued})
        if parts.path == "/admin/limits":
            if method == "PUT" and self.takes_limits:
                self.limits = self.limits.changed(**Limits.of(json.loads(body)).values())
            return 200, json.dumps({**self.limits.values(), "version": self.limits.version})
        if parts.path == "/metrics":
            return 200, self._gateway_page()
        if parts.path == "/engine/metrics":
            return 200, self._engine_page()
        return 200, "{}"

    @property
    def _loaded(self) -> bool:
        return "POST /generator/load" in self.log

    def _gateway_page(self) -> str:
        """Five requests of somebody else before; this cell's on top of them after its load."""
        grown = hand_made.gateway(self.records if self._loaded else ())
        outcomes = {**grown.outcomes, "ok": grown.outcomes.get("ok", 0.0) + 5}
        lines = ["# TYPE gateway_requests counter"]
        lines += [
            f'gateway_requests_total{{route="chat",outcome="{name}"}} {count}'
            for name, count in outcomes.items()
        ]
        lines += [
            "# TYPE gateway_active_seconds counter",
            f"gateway_active_seconds_total {grown.active_s + 7}",
        ]
        lines += ["# TYPE gateway_queue_seconds counter", f"gateway_queue_seconds_total {grown.queued_s + 3}"]
        lines += [
            f'gateway_instance_info{{id="{self.instance}"}} 1',
            f"gateway_active_limit {self.limits.max_active}",
        ]
        lines += [f"gateway_limits_version {self.limits.version}"]
        return "\n".join([*lines, ""])

    def _engine_page(self) -> str:
        lines = [
            f"{sample} {self._engine_count(name)}" for name, sample in samples_of(engine_metrics.VLLM).items()
        ]
        return "\n".join([*lines, ""])

    def _engine_count(self, name: str) -> float:
        return 11.0 + (float(getattr(self.engine, name)) if self._loaded else 0.0)

    def _prometheus(self, path: str, asked: Mapping[str, list[str]]) -> dict[str, Any]:
        query = asked["query"][0]
        if path.endswith("/query_range"):
            result = [{"metric": {}, "values": [[at, self.scraped] for at in hand_made.SCRAPES]}]
        else:
            result = self._instant(query, float(asked["time"][0]))
        return {"status": "success", "data": {"result": result}}

    def _instant(self, query: str, at_unix_s: float) -> list[dict[str, Any]]:
        began = at_unix_s <= hand_made.SCRAPES[0]
        if query.startswith("timestamp("):
            return [{"metric": {}, "value": [at_unix_s, str(time.time() + 1.0)]}]
        if query.endswith("s]"):
            return [{"metric": {}, "values": [[at, "1"] for at in hand_made.SCRAPES]}]
        if query.startswith("sum by (le)"):
            (name,) = (name for name, (metric, *_) in HISTOGRAMS.items() if metric in query)
            found = hand_made.cumulative(hand_made.seen_by_gateway(self.records)[name])
            return [
                {"metric": {"le": str(bound)}, "value": [at_unix_s, str(0.0 if began else count)]}
                for bound, count in found
            ]
        for name, sample in samples_of(engine_metrics.VLLM).items():
            if sample in query:
                count = 0.0 if began else float(getattr(self.engine, name))
                return [{"metric": {}, "value": [at_unix_s, str(count)]}]
        return []


@contextlib.contextmanager
def running(records: Sequence[RequestRecord]) -> Iterator[FakeStack]:
    """The stack that saw these records once the generator has begun."""
    stack = FakeStack(records, hand_made.engine(records))

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply()

        def do_PUT(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            length = int(self.headers["content-length"] or 0)
            status, text = stack.answer(self.command, self.path, self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    stack.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def generator(stack: FakeStack, folder: Path, made: Path, log_path: Path) -> LoadProcess:
    """A started generator that will leave what lies in `made`; whoever starts it stops it."""
    argv = [sys.executable, "-c", GENERATOR, str(stack.port), str(folder), str(made)]
    command = process.Command(argv, "the generator", log_path, grace_s=1)
    return LoadProcess(process.start(command), folder / "go")


def leave(records: Sequence[RequestRecord], made: Path) -> None:
    """What the generator has to leave: its records in no order of their own, and load.json."""
    shuffled = np.random.default_rng(3).permutation(len(records))
    (made / "records.jsonl").write_bytes(b"".join(records[k].to_json() + b"\n" for k in shuffled))
    (made / "load.json").write_text(json.dumps(hand_made.load_run(records).to_json()))
