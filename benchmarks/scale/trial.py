"""A gateway and its engine for one trial, on a core each where there are two, and what is asked of it."""

import contextlib
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gateway.processes import apart, cpu_s, free_port, process, rss_bytes, wait_for_answer

MESSAGES = '{"model":"bench","messages":[{"role":"user","content":"' + "y" * 200 + '"}]'
WHOLE = MESSAGES + "}"


def stream(chunks: int, gap_ms: float) -> str:
    """The body of a streamed request to the benchmark's engine."""
    return f'{MESSAGES},"stream":true,"max_tokens":{chunks},"seed":{gap_ms}}}'


def post(body: str) -> bytes:
    """The whole request."""
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


FOREVER = 1_000_000


class Trial:
    """A running gateway. tree: its process; engine: the one it asks."""

    def __init__(self, tree: psutil.Process, engine: psutil.Process, port: int) -> None:
        self.tree = tree
        self.engine = engine
        self.port = port

    def cpu_s(self) -> float:
        """Time on a CPU so far."""
        return cpu_s(self.tree)

    def rss_bytes(self) -> int:
        """Resident memory."""
        return rss_bytes(self.tree)

    def sockets(self) -> int:
        """Open connections, on both sides, without those of the engine that are idle."""
        connections = self.tree.net_connections("tcp")
        idle = self.metrics()['gateway_upstream_connections{state="idle"}']
        return sum(connection.status == psutil.CONN_ESTABLISHED for connection in connections) - int(idle)

    def state(self) -> dict[str, Any]:
        """`GET /admin/state`."""
        return dict(json.loads(self._ask("GET", "/admin/state")))

    def metrics(self) -> dict[str, float]:
        """`GET /metrics`, by name with labels."""
        lines = self._ask("GET", "/metrics").decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def limits(self, **values: object) -> None:
        """`PUT /admin/limits`."""
        self._ask("PUT", "/admin/limits", json.dumps(values).encode())

    def until(self, condition: Callable[[dict[str, Any]], bool], what: str, within_s: float = 60.0) -> float:
        """Waits until the state is so; returns how long that took. Raises RuntimeError after `within_s`."""
        started_s = time.monotonic()
        while not condition(state := self.state()):
            if time.monotonic() - started_s > within_s:
                raise RuntimeError(f"not within {within_s:g} s: {what}: {state}")
            time.sleep(0.02)
        return time.monotonic() - started_s

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        head = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, head, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def trial(**settings: object) -> Iterator[Trial]:
    """Starts both, and ends them. settings: of the gateway, by their names."""
    of_gateway, of_the_others = apart()
    os.sched_setaffinity(0, of_the_others)
    engine_port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        process([sys.executable, "-m", "benchmarks.gateway.engine", str(engine_port)]) as engine,
    ):
        wait_for_answer(engine_port, engine)
        port = free_port()  # not before the engine has its own
        given = {"vllm_base_url": f"http://127.0.0.1:{engine_port}", "gateway_port": port, **settings}
        env = {**os.environ, **{name.upper(): str(value) for name, value in given.items()}}
        log = Path(folder) / "gateway.log"
        with process([sys.executable, "-m", "gateway"], env, log, of_gateway) as tree:
            try:
                wait_for_answer(port, tree, "/health")
            except RuntimeError as error:
                raise RuntimeError(f"{error}: {log.read_text()[-500:]}") from None
            yield Trial(tree, engine, port)
