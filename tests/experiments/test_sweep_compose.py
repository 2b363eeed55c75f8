"""`--engine compose`: the sweep finds a running stack by its `.env`. Here the stack's parts run natively."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.cli.sweep_args import parse
from experiments.errors import EnvironmentProblem, UserError
from experiments.measure import sweep_stack
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.stack import engine, fetched, gateway, prometheus
from experiments.stack.ports import free_port
from tests.experiments import sweeping
from tests.experiments.observe import fake_grafana
from tests.experiments.observe.fake_grafana import FakeGrafana

FLAGS = (
    *("--engine", "compose", "--max-active", "3", "--queue-mode", "queue", "--load", "sustained@0.6x"),
    *("--design", "grid", "--measure", "3s", "--warm-up", "1s", "--min-requests", "10"),
)
KEY = "key-of-a-client"
SETTINGS = {"MAX_ACTIVE": "5", "GATEWAY_API_KEYS": KEY}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that looks from outside as the compose stack does."""

    env_file: Path
    gateway: gateway.Gateway
    grafana: FakeGrafana


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Emulator, gateway, Prometheus and a fake Grafana, with the `.env` that describes them."""
    try:
        fetched.find(fetched.PROMETHEUS)
    except EnvironmentProblem as problem:
        pytest.skip(str(problem))
    folder = tmp_path_factory.mktemp("compose")
    with ExitStack() as stack:
        emulator = stack.enter_context(engine.running(engine.choose("emulator"), log_dir=folder))
        front = stack.enter_context(
            gateway.running(engine_url=emulator.url, model=emulator.model, log_dir=folder, env=SETTINGS)
        )
        watcher = stack.enter_context(
            prometheus.running(
                targets={"gateway": front.url, "engine": emulator.url},
                data_dir=folder / "tsdb",
                log_dir=folder,
            )
        )
        grafana = stack.enter_context(fake_grafana.running())
        values = {
            "GATEWAY_PORT": front.url.rsplit(":", 1)[1],
            "VLLM_PORT": emulator.url.rsplit(":", 1)[1],
            "PROMETHEUS_PORT": watcher.url.rsplit(":", 1)[1],
            "GRAFANA_PORT": grafana.port,
            "GRAFANA_PASSWORD": "quite-secret",
            "GATEWAY_ADMIN_TOKEN": front.admin_token,
            "GATEWAY_API_KEYS": KEY,
        }
        env_file = folder / ".env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        yield Stack(env_file, front, grafana)


def test_the_stack_is_swept_and_left_as_it_was(composed: Stack, tmp_path: Path) -> None:
    """Nothing is started; limits go through the admin API and come back; series are the stack's
    Prometheus's; Grafana gets a region for the cell and one for the run; no secret is stored."""
    out = tmp_path / "night"
    done = sweeping.run(out, "--compose-env", str(composed.env_file), *FLAGS)
    assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = sweeping.summaries(out)
    assert summary["setting"]["max_active"] == 3
    assert sweeping.disagreeing_counts(summary) == []
    assert summary["agreement"], "quantiles of the stack's own Prometheus"
    run = json.loads((out / "run.json").read_text())
    assert (run["engine"]["provider"], run["engine"]["facts"]["stack"]) == ("emulator", "compose")
    assert run["engine"]["label"].startswith("EMULATOR")
    assert not (out / "prometheus" / "data").exists(), "no Prometheus of our own"
    token = composed.gateway.admin_token
    with closing(GatewayAdmin(composed.gateway.endpoint, token)) as admin:
        assert admin.limits().max_active == 5
    kinds = [body["tags"] for _, body in composed.grafana.posted]
    # A cell that a busy machine made invalid is measured once more, and shown twice.
    assert kinds[0] == ["headroom", "night", "cell"]
    assert kinds[-1] == ["headroom", "night", "run"]
    assert all(authorization.startswith("Basic ") for authorization, _ in composed.grafana.posted)
    for secret in (token or "", KEY, "quite-secret"):
        for path in out.rglob("*.json*"):
            assert secret not in path.read_text(), path


def refused(folder: Path, *flags: str) -> str:
    """What a sweep with these flags says before it measures anything."""

    def begin() -> None:
        options = parse([*flags, *FLAGS])
        with sweep_stack.running(options, folder, folder / "prometheus", lambda _: None):
            pass

    with pytest.raises(UserError) as caught:
        begin()
    return str(caught.value)


def test_a_stack_that_is_not_up_is_the_users_mistake(tmp_path: Path) -> None:
    """One sentence, exit code 2."""
    env_file = tmp_path / ".env"
    missing = sweeping.run(tmp_path / "a", "--compose-env", str(env_file), *FLAGS)
    assert missing.returncode == 2, missing.stderr
    assert "`make up` writes compose/.env" in missing.stderr
    assert "Traceback" not in missing.stderr
    env_file.write_text(f"GATEWAY_ADMIN_TOKEN=long-enough\nGATEWAY_PORT={free_port()}\n")
    down = refused(tmp_path, "--compose-env", str(env_file))
    assert "the compose stack is not up: no gateway answers" in down
    both = refused(tmp_path, "--gateway-url", "http://127.0.0.1:1")
    assert "--engine compose takes gateway and engine from compose/.env" in both


def test_a_model_that_the_stack_does_not_serve(composed: Stack, tmp_path: Path) -> None:
    """The sentence names the one that it does serve."""
    said = refused(tmp_path, "--compose-env", str(composed.env_file), "--model", "other")
    assert "does not serve 'other'; it serves emulated" in said
