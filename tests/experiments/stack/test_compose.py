"""What a sweep takes from the compose stack's `.env`, and how its Prometheus learns of the generators."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from compose import write_env
from experiments.errors import UserError
from experiments.stack import compose, compose_targets

ROOT = Path(__file__).resolve().parents[3]


def env_file(folder: Path, text: str) -> Path:
    """An .env of this text."""
    path = folder / ".env"
    path.write_text(text)
    return path


def test_the_file_that_make_up_writes_is_enough(tmp_path: Path) -> None:
    """Ports are the stack's defaults, secrets those of the file."""
    example = (ROOT / "compose" / ".env.example").read_text()
    path = env_file(tmp_path, write_env.filled_in(example, "gpu"))
    stack = compose.find(path, {})
    assert (stack.gateway_url, stack.engine_url) == ("http://127.0.0.1:8080", "http://127.0.0.1:8000")
    assert (stack.prometheus_url, stack.grafana_url) == ("http://127.0.0.1:9090", "http://127.0.0.1:9091")
    assert len(stack.admin_token or "") >= 8
    assert len(stack.grafana_password or "") >= 8
    assert stack.api_key is None
    assert (stack.admin_token or "?") not in repr(stack)


def test_ports_follow_compose_and_secrets_the_file(tmp_path: Path) -> None:
    """Our environment wins for what compose itself reads from it; the gateway's container sees only the
    file."""
    path = env_file(
        tmp_path,
        "GATEWAY_PORT=8081\nVLLM_PORT = 8001 # beside another\nBIND_ADDRESS=0.0.0.0\n"
        "GATEWAY_ADMIN_TOKEN='in the file'\nGATEWAY_API_KEYS=first,second\n# PROMETHEUS_PORT=1\n",
    )
    stack = compose.find(path, {"GATEWAY_PORT": "8082", "GATEWAY_ADMIN_TOKEN": "in a shell"})
    assert stack.gateway_url == "http://127.0.0.1:8082"
    assert stack.engine_url == "http://127.0.0.1:8001"
    assert stack.prometheus_url == "http://127.0.0.1:9090"
    assert stack.admin_token == "in the file"
    assert stack.api_key == "first"


def test_a_missing_file_and_a_wrong_port_are_one_sentence(tmp_path: Path) -> None:
    """Each says what to do."""
    with pytest.raises(UserError, match=r"No such file.*`make up` writes compose/\.env"):
        compose.find(tmp_path / ".env", {})
    with pytest.raises(UserError, match=r"GATEWAY_PORT = 'many' is not a port number"):
        compose.find(env_file(tmp_path, "GATEWAY_PORT=many\n"), {})


@pytest.mark.parametrize(
    "inspected",
    [
        [{"IPAM": {"Config": [{"Subnet": "fd00::/64", "Gateway": "fd00::1"}, {"Gateway": "172.18.0.1"}]}}],
        [{"name": "headroom_default", "subnets": [{"subnet": "172.18.0.0/24", "gateway": "172.18.0.1"}]}],
    ],
    ids=["docker", "podman"],
)
def test_the_networks_gateway_is_read_in_both_forms(inspected: object) -> None:
    """Docker and Podman print the same fact under different names."""
    assert compose_targets.gateway_in(inspected) == "172.18.0.1"
    assert compose_targets.gateway_in([{"IPAM": {"Config": None}}]) is None


def test_targets_are_named_while_the_sweep_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for Prometheus's discovery that is gone afterwards, also after a failure."""
    monkeypatch.setattr(compose_targets, "network_gateway", {"night_default": "127.0.0.1"}.get)
    said: list[str] = []
    settings = {"COMPOSE_PROJECT_NAME": "night"}

    def fail() -> None:
        with compose_targets.announced((9001, 9002), settings, said.append, tmp_path) as address:
            (path,) = tmp_path.iterdir()
            assert json.loads(path.read_text()) == [{"targets": ["127.0.0.1:9001", "127.0.0.1:9002"]}]
            with socket.socket() as listening:
                listening.bind((address, 0))
            raise RuntimeError("the sweep broke")

    with pytest.raises(RuntimeError, match="the sweep broke"):
        fail()
    assert list(tmp_path.iterdir()) == []
    assert said == []


@pytest.mark.parametrize("gateway", [None, "192.0.2.1"], ids=["no such network", "not our address"])
def test_without_a_way_in_the_sweep_goes_on(
    gateway: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generators stay on loopback, nothing is written, and one line says what is missing."""
    monkeypatch.setattr(compose_targets, "network_gateway", lambda _: gateway)
    said: list[str] = []
    with compose_targets.announced((9001, 9002), {}, said.append, tmp_path) as address:
        assert address == "127.0.0.1"
        assert list(tmp_path.iterdir()) == []
    assert len(said) == 1
    assert "the records have everything" in said[0]
