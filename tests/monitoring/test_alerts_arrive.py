"""An alert that fires comes to the webhook of its route, and again when it is over: the real servers."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from experiments.errors import EnvironmentProblem
from experiments.stack import alertmanager, compose_services, fetched, paths, prometheus

XID = "DCGM_FI_DEV_XID_ERRORS"
PATIENCE_S = 60.0
ENV = Path(".env")


class Server(contextlib.AbstractContextManager["Server"]):
    """A GPU's metrics page whose last XID can be set, and a webhook that keeps what it is sent."""

    def __init__(self) -> None:
        self.xid = 0
        self.told: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        server = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(f'{XID}{{gpu="0"}} {server.xid}\nDCGM_FI_DEV_GPU_TEMP{{gpu="0"}} 40\n'.encode())

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                server.told.put((self.path, json.loads(sent)))
                self.answer(b"")

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Scrapes are not worth a line."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def rules_each_second(folder: Path) -> Path:
    """The project's rules, evaluated more often than in service: what they say is theirs."""
    folder.mkdir()
    for path in paths.rules().glob("*.rules.yml"):
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group["interval"] = "1s"
        (folder / path.name).write_text(yaml.safe_dump(content))
    return folder


def each_second(told: alertmanager.Alertmanager, config: Path) -> None:
    """The same of the notifications: whoever is told, is told as in service, but without the wait."""
    text = config.read_text()
    config.write_text(re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", text))
    httpx.post(f"{told.url}/-/reload", timeout=10).raise_for_status()


@pytest.fixture(scope="module", autouse=True)
def _program() -> None:
    try:
        alertmanager.provide()
    except EnvironmentProblem as problem:
        pytest.skip(str(problem))


def test_an_alert_fires_arrives_and_resolves(tmp_path: Path) -> None:
    """A GPU reports an XID: the page's webhook is told once, with summary and runbook, the ticket's not; the
    number goes back, and the same webhook is told that it is over."""
    with Server() as server:
        receivers = {
            "ALERT_PAGE_WEBHOOK": f"http://{server.address}/page",
            "ALERT_TICKET_WEBHOOK": f"http://{server.address}/ticket",
        }
        with (
            alertmanager.running(receivers=receivers, data_dir=tmp_path / "am", log_dir=tmp_path) as told,
            prometheus.running(
                targets={"dcgm": server.address},
                data_dir=tmp_path / "p",
                log_dir=tmp_path,
                rules=rules_each_second(tmp_path / "rules"),
                alertmanager=told.address,
            ) as seen,
        ):
            each_second(told, tmp_path / "am" / "alertmanager.yml")
            prometheus.await_scrapes(seen, ["dcgm"])
            server.xid = 79
            path, fired = server.told.get(timeout=PATIENCE_S)
            rows = compose_services.rows(published(told, seen, receivers), ENV)
            status = {row.title: row.health for row in rows}
            server.xid = 0
            again, over = server.told.get(timeout=PATIENCE_S)
    assert status["Prometheus"] == "up; 1 of 1 targets answer; alerts: GpuXidError"
    assert status["Alertmanager"] == "up; tells of pages and tickets"
    assert (path, again) == ("/page", "/page")
    assert (fired["status"], over["status"]) == ("firing", "resolved")
    (alert,) = fired["alerts"]
    assert alert["labels"]["alertname"] == "GpuXidError"
    assert alert["annotations"]["summary"] == "GPU 0 reported XID 79."
    assert alert["annotations"]["runbook"] == "monitoring/runbook.md#gpuxiderror"
    assert (tmp_path / "am" / "alertmanager.yml").stat().st_mode & 0o077 == 0
    assert server.told.empty()


def published(
    told: alertmanager.Alertmanager, seen: prometheus.Prometheus, receivers: dict[str, str]
) -> dict[str, str]:
    """The two as the compose stack's `.env` would name them."""
    ports = {"ALERTMANAGER_PORT": told.url, "PROMETHEUS_PORT": seen.url}
    return {name: url.rsplit(":", 1)[1] for name, url in ports.items()} | receivers


def configured(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The script with `cat` in Alertmanager's place: nothing but the configuration is made."""
    environment = {**settings, "PATH": os.environ["PATH"], "ALERTMANAGER_START": "/bin/echo"}
    environment["ALERTMANAGER_CONFIG"] = str(folder / "config.yml")
    command = ["sh", str(paths.alertmanager_start())]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "ALERT_PAGE_SLACK": "https://hooks.slack.com/a https://b.example/c?d=e",
            "ALERT_TICKET_WEBHOOK": "http://x",
        },
    ],
    ids=["nobody", "several"],
)
def test_alertmanager_accepts_what_is_written(tmp_path: Path, settings: dict[str, str]) -> None:
    """With any receivers, and none; pages and tickets take the route of their name."""
    assert configured(tmp_path, **settings).returncode == 0
    amtool = fetched.find(fetched.ALERTMANAGER).with_name("amtool")
    if not amtool.exists():
        pytest.skip("amtool is not beside Alertmanager")
    config = str(tmp_path / "config.yml")
    for command in (
        ["check-config", config],
        *(
            [
                "config",
                "routes",
                "test",
                f"--config.file={config}",
                f"severity={name}",
                f"--verify.receivers={name}",
            ]
            for name in ("page", "ticket")
        ),
    ):
        done = subprocess.run([str(amtool), *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("wrong", ["ftp://x", "example.com/hook", "https://a'b"])
def test_an_address_that_is_none_ends_the_start(tmp_path: Path, wrong: str) -> None:
    """One sentence with the setting's name, not its value: it may be a secret."""
    done = configured(tmp_path, ALERT_PAGE_WEBHOOK=wrong)
    assert done.returncode == 2
    assert "ALERT_PAGE_WEBHOOK" in done.stderr
    assert wrong not in done.stderr
    assert not (tmp_path / "config.yml").exists()
