"""A real `python -m gateway` for a test, and what can be asked of it from outside."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], within_s: float = 5.0, what: str = "") -> Any:
    """Polls until `condition()` is true and returns its value; fails after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {within_s} s: {what or condition!r}")
        time.sleep(0.005)


class GatewayProcess:
    """A running gateway. `url` without a trailing slash."""

    def __init__(self, popen: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        self.popen = popen
        self.port = port
        self.log_path = log_path
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET."""
        return self.ask("GET", path)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request with a JSON body; error statuses are answers here."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json", **(headers or {})}
        )
        request.method = method
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers.items()), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers.items()), error.read()

    def chat(self, **fields: Any) -> tuple[int, dict[str, str], bytes]:
        """One chat completion, not streamed unless `stream=True` is among the fields."""
        return self.ask("POST", "/v1/chat/completions", {"messages": [], **fields})

    def state(self) -> dict[str, Any]:
        """`GET /admin/state`."""
        return dict(json.loads(self.get("/admin/state")[2]))

    def limits(self, **values: Any) -> dict[str, Any]:
        """`PUT /admin/limits`; must succeed."""
        status, _, body = self.ask("PUT", "/admin/limits", values)
        assert status == 200, body
        return dict(json.loads(body))

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        lines = self.get("/metrics")[2].decode().splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name
        )

    def open_sockets(self) -> int:
        """Sockets of the process that are not listening."""
        connections = psutil.Process(self.popen.pid).net_connections("tcp")
        return sum(connection.status != "LISTEN" for connection in connections)

    def log(self) -> str:
        """Everything it has written so far."""
        return self.log_path.read_text()


@contextmanager
def gateway(engine_url: str, **settings: Any) -> Iterator[GatewayProcess]:
    """Starts a gateway with these settings, waits until it answers, and stops it whatever happens.

    `module`, if it is among the settings: what to run in place of `gateway`.
    """
    module = settings.pop("module", "gateway")
    port = settings.pop("gateway_port", None) or free_port()
    given = {"vllm_base_url": engine_url, "gateway_port": port, "probe_interval_s": 0.5, **settings}
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    env |= {key.upper(): str(value) for key, value in given.items()}
    with tempfile.TemporaryDirectory() as folder:
        log_path = Path(folder) / "gateway.log"
        with log_path.open("wb") as log:
            popen = subprocess.Popen(
                [sys.executable, "-m", module], cwd=ROOT, env=env, stdout=log, stderr=log
            )
        process = GatewayProcess(popen, port, log_path)
        try:
            until(lambda: _answers(process), 20, "the gateway answers")
            yield process
        finally:
            if popen.poll() is None:
                popen.kill()
            popen.wait(10)


def _answers(process: GatewayProcess) -> bool:
    if process.popen.poll() is not None:
        raise AssertionError(f"the gateway ended: {process.log()}")
    try:
        return process.get("/health")[0] == 200
    except OSError:
        return False
