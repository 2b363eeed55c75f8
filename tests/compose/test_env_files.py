"""Where the gateway's settings come from in containers: .env, and over it what a sweep recommends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from experiments.stack.ports import free_port
from tests.compose.containers import COMPOSE_FILE, Engine, find, why_not
from tests.compose.test_stack_runs import answers, container

pytestmark = pytest.mark.prove
TOKEN = "a-token-of-the-test"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of compose/ with both files, so that nobody's own are touched."""
    shutil.copytree(
        COMPOSE_FILE.parent, tmp_path / "compose", ignore=shutil.ignore_patterns(".env", "recommended.env")
    )
    for name in ("monitoring", "gateway", "requirements.lock", ".dockerignore"):
        (tmp_path / name).symlink_to(COMPOSE_FILE.parents[1] / name)
    settings = f"MAX_ACTIVE=3\nQUEUE_MAX=9\nGRAFANA_PASSWORD=of-grafana\nGATEWAY_ADMIN_TOKEN={TOKEN}\n"
    (tmp_path / "compose" / ".env").write_text(settings)
    (tmp_path / "compose" / "recommended.env").write_text("MAX_ACTIVE=7\n")
    return tmp_path / "compose" / "compose.yaml"


@pytest.fixture
def port() -> int:
    """The gateway's published port."""
    return free_port()


@pytest.fixture
def gateway(checkout: Path, port: int) -> Iterator[Engine]:
    """The gateway alone, from that copy."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    project, ports = "headroom-env-test", {"GATEWAY_PORT": port}
    find(project, ports).compose_run("build", "api")
    engine = find(project, ports, [checkout])
    try:
        engine.compose_run("up", "-d", "--no-deps", "api")
        answers(f"http://127.0.0.1:{port}/health")
        yield engine
    finally:
        engine.compose_run("down", "-v", "-t", "5", check=False)


def test_recommended_settings_win_over_env_and_foreign_secrets_stay_out(gateway: Engine, port: int) -> None:
    """MAX_ACTIVE is the recommended one, QUEUE_MAX that of .env; Grafana's password is not inside."""
    url = f"http://127.0.0.1:{port}/admin/limits"
    limits = httpx.get(url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=10).json()
    assert (limits["max_active"], limits["queue_max"]) == (7, 9)
    assert "of-grafana" not in gateway.run("exec", container(gateway, "api"), "env")
