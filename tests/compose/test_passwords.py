"""No default password: what writes .env, and what Grafana does without one."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

COMPOSE = Path(__file__).resolve().parents[2] / "compose"


def start_grafana(password: str | None) -> subprocess.CompletedProcess[str]:
    """Run the entry point with `echo` where Grafana would be."""
    environment = {"PATH": os.environ["PATH"], "GRAFANA_START": "/bin/echo"}
    if password is not None:
        environment["GF_SECURITY_ADMIN_PASSWORD"] = password
    command = ["/bin/sh", str(COMPOSE / "grafana-entrypoint.sh"), "started"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("password", [None, "", "admin"])
def test_grafana_refuses_to_start_without_a_password_and_says_what_to_run(password: str | None) -> None:
    """The log's one line names the command that mends it."""
    done = start_grafana(password)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "make up" in done.stderr
    assert done.stderr.count("\n") == 1


def test_grafana_starts_with_a_password() -> None:
    """The entry point hands over to Grafana's own, arguments included."""
    done = start_grafana("correct horse")
    assert (done.returncode, done.stdout) == (0, "started\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of compose/ without an .env."""
    for name in ("write_env.py", ".env.example"):
        shutil.copy(COMPOSE / name, tmp_path / name)
    return tmp_path


def write_env(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as `make up` does."""
    return subprocess.run(
        [sys.executable, str(folder / "write_env.py"), *arguments], capture_output=True, text=True
    )


def values(folder: Path) -> dict[str, str]:
    """What .env sets."""
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_first_run_makes_up_a_password_that_nobody_else_can_read(folder: Path) -> None:
    """Each machine gets secrets of its own; the file is its owner's; they are not printed."""
    done = write_env(folder)
    assert done.returncode == 0, done.stderr
    first = values(folder)
    assert first["COMPOSE_PROFILES"] == "gpu"
    assert len(first["GRAFANA_PASSWORD"]) >= 20
    assert len(first["GATEWAY_ADMIN_TOKEN"]) >= 20
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert first["GRAFANA_PASSWORD"] not in done.stdout + done.stderr
    (folder / ".env").unlink()
    write_env(folder)
    assert values(folder)["GRAFANA_PASSWORD"] != first["GRAFANA_PASSWORD"]


def test_a_second_run_changes_nothing(folder: Path) -> None:
    """What was set by hand stays."""
    write_env(folder, "--profile", "emulator,load")
    before = (folder / ".env").read_bytes()
    done = write_env(folder, "--profile", "gpu")
    assert done.returncode == 0
    assert (folder / ".env").read_bytes() == before
    assert values(folder)["COMPOSE_PROFILES"] == "emulator,load"


def test_an_unknown_profile_is_refused_before_anything_is_written(folder: Path) -> None:
    """One sentence that names the value and what is allowed, exit status 2."""
    done = write_env(folder, "--profile", "tpu")
    assert done.returncode == 2
    assert "tpu" in done.stderr
    assert "gpu, cpu, emulator" in done.stderr
    assert not (folder / ".env").exists()
