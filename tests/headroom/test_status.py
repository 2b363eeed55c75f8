"""`headroom status`: a real emulator and gateway where the compose stack's `.env` says that they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.stack import engine, gateway
from experiments.stack.ports import free_port
from headroom import status
from tests.loadtests.harness import ROOT, until


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Of a stack whose other services do not run."""
    ports = {
        name: free_port()
        for name in ("GATEWAY_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT", "LOCUST_PORT")
    }
    lines = ["COMPOSE_PROFILES=emulator,load", "GRAFANA_PASSWORD=a-secret", "MODEL_NAME=one"]
    path = tmp_path / ".env"
    path.write_text("\n".join([*lines, *(f"{name}={port}" for name, port in ports.items())]) + "\n")
    return path


def told(env_file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = status.main(["--compose-env", str(env_file)])
    return code, capsys.readouterr().out


def test_it_says_where_everything_is_and_how(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gateway and engine are up; of those that are not, the log is named."""
    port = int(dict(line.split("=") for line in env_file.read_text().split())["GATEWAY_PORT"])
    choice = engine.choose("emulator", profile="exact", model="one")
    with engine.running(choice, log_dir=tmp_path) as served:
        monkeypatch.setenv("VLLM_PORT", served.url.rsplit(":", 1)[1])
        settings = {"PROBE_INTERVAL_S": "0.1"}
        with gateway.running(
            engine_url=served.url, model="one", log_dir=tmp_path, env=settings, port=port
        ) as front:
            until(lambda: "up" in line(told(env_file, capsys)[1], "gateway"), "a gateway that is ready")
            code, said = told(env_file, capsys)
            assert code == 1
            assert line(said, "gateway").split() == ["gateway", front.url, "up"]
            assert line(said, "engine").endswith(f"{served.url}  up; serves one")
            assert "docker compose logs grafana" in line(said, "Grafana")
            assert "docker compose logs locust-master" in line(said, "Locust")
            assert "Open WebUI" not in said
            assert "GRAFANA_PASSWORD (user admin)" in said
            assert "a-secret" not in said
            for first in (f"curl -s {front.url}/v1/chat/completions", "/llm", "make sweep ENGINE=compose"):
                assert first in said


def line(said: str, title: str) -> str:
    return next((line for line in said.splitlines() if line.startswith(title)), "")


def test_the_engine_is_away(
    env_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gateway's own words for it."""
    port = int(dict(line.split("=") for line in env_file.read_text().split())["GATEWAY_PORT"])
    nobody = free_port()
    monkeypatch.setenv("VLLM_PORT", str(nobody))
    with gateway.running(
        engine_url=f"http://127.0.0.1:{nobody}", model="one", log_dir=tmp_path, env={}, port=port
    ):
        until(lambda: "not ready" in line(told(env_file, capsys)[1], "gateway"), "the probe's verdict")
        said = told(env_file, capsys)[1]
    assert "The engine is not ready: " in line(said, "gateway")
    assert "no answer (Connection refused): cd compose && docker compose logs emulator" in line(
        said, "engine"
    )


def test_without_an_env_file_it_says_what_writes_one(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(UserError, match="`make up` writes it"):
        status.main(["--compose-env", str(tmp_path / ".env")])


def test_it_needs_nothing_but_python(env_file: Path) -> None:
    """`make up` runs before anything is installed: without site-packages it works as well."""
    script = (
        "import sys; sys.path.insert(0, '.'); from headroom.status import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-I", "-S", "-c", script, "--compose-env", str(env_file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Alertmanager" in done.stdout
