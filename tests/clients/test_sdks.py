"""The SDKs that people use, unchanged, through a real gateway: answers, streams, and each of our refusals."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from experiments.stack import engine
from tests.clients.asking.cases import Case, Report
from tests.clients.environment import OFFLINE, programs
from tests.gateway.process import ROOT, GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import Raw, post

CLIENTS = ("openai", "litellm", "langchain")
SILENT: dict[str, Any] = {"script": [["hang"]]}
MEANT: dict[str, tuple[int, dict[str, Any]]] = {
    "invalid": (400, {"n": 1000}),
    "unauthorized": (401, {}),
    "model_not_found": (404, {}),
    "rejected_full": (429, {}),
    "upstream_error": (502, {"script": [["close"]]}),
    "unreachable": (502, {}),
    "queue_timeout": (503, {}),
    "upstream_timeout": (504, SILENT),
}
"""What each refusal's status is, and the fields with which it is brought about."""


class VllmError(BaseHTTPRequestHandler):
    """Answers `/STATUS/…` with that status and an error as vLLM writes them."""

    def do_POST(self) -> None:
        status = int(self.path.split("/")[1])
        self.rfile.read(int(self.headers["content-length"]))
        error = {"message": "Something is wrong.", "type": "SomeError", "param": None, "code": status}
        body = json.dumps({"error": error}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def vllm_errors() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), VllmError) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def refusing() -> Iterator[dict[str, Case]]:
    """For each refusal a case that brings it about."""
    short = {"ttft_timeout_s": 0.5, "connect_timeout_s": 1.0}
    with (
        ScriptedEngine(models=("tiny",)) as scripted,
        gateway(scripted.url, gateway_api_keys="k", allowed_models="tiny", **short) as idle,
        gateway(scripted.url, max_active=1, queue_max=0) as full,
        gateway(scripted.url, max_active=1, queue_max=1, queue_timeout_s=0.1) as waiting,
        gateway(f"http://127.0.0.1:{free_port()}", **short) as alone,
    ):
        held = [Raw(busy.port) for busy in (full, waiting)]
        for client in held:
            client.send(post(SILENT))
        until(lambda: full.state()["active"] == waiting.state()["active"] == 1, 10)
        where = {"rejected_full": full, "queue_timeout": waiting, "unreachable": alone}
        yield {
            name: Case(
                f"{where.get(name, idle).url}/v1",
                key="wrong" if name == "unauthorized" else "k",
                model="nobody" if name == "model_not_found" else "tiny",
                stream=name == "upstream_timeout",
                extra=extra,
            )
            for name, (_, extra) in MEANT.items()
        }
        for client in held:
            client.close()


def reports(client: str, cases: Sequence[Case]) -> list[Report]:
    """What that client says of each case, in a process with its own packages."""
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    env |= {"PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True", **OFFLINE}
    ended = subprocess.run(
        [str(programs("sdks") / "python"), "-m", f"tests.clients.asking.with_{client}"],
        input="".join(f"{json.dumps(asdict(case))}\n" for case in cases),
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [Report(**json.loads(line)) for line in ended.stdout.splitlines() if line.startswith('{"text"')]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, str]]:
    choice = engine.choose("emulator", profile="exact")
    with (
        engine.running(choice, log_dir=tmp_path_factory.mktemp("emulator")) as served,
        gateway(served.url) as running,
    ):
        yield running, served.model


@pytest.mark.parametrize("client", CLIENTS)
def test_an_sdk_through_the_gateway(
    client: str, serving: tuple[GatewayProcess, str], refusing: dict[str, Case], vllm_errors: str
) -> None:
    """It gets whole and streamed answers, and raises for each of our refusals what it raises for an error of
    vLLM's own with that status.
    """
    running, model = serving
    before = running.state()["outcomes"]["ok"]
    asked = [Case(f"{running.url}/v1", model=model, stream=stream) for stream in (False, True)]
    statuses = sorted({status for status, _ in MEANT.values()})
    theirs = [Case(f"{vllm_errors}/{status}/v1") for status in statuses]
    told = reports(client, [*asked, *refusing.values(), *theirs])
    answers, refused, errors = told[:2], told[2 : 2 + len(MEANT)], told[2 + len(MEANT) :]
    assert [len(answer.text.split()) for answer in answers] == [5, 5], answers
    assert running.state()["outcomes"]["ok"] - before == 2
    classes = {status: error.error for status, error in zip(statuses, errors, strict=True)}
    for (name, (status, _)), refusal in zip(MEANT.items(), refused, strict=True):
        assert (refusal.error, refusal.status) == (classes[status], status), (name, refusal)
        assert refusal.error.split(".")[0] in ("openai", "litellm", "langchain_openai"), refusal
    assert "MAX_CHOICES" in refused[0].message
