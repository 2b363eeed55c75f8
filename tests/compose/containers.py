"""The container engine of this machine, driven as users drive it: `docker compose` or `podman-compose`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "compose" / "compose.yaml"
TOKEN_FILE = Path(__file__).with_name("admin_token.yaml")
PUBLIC_PYTHON = "docker.io/library/python:3.11-slim-bookworm"
LOCAL_PROMETHEUS = "docker.io/prom/prometheus:latest"


@dataclass(frozen=True, slots=True)
class Engine:
    """`cli` is docker or podman; `compose` the command in front of compose's own words."""

    cli: str
    compose: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, *words: str, check: bool = True, timeout_s: float = 60) -> str:
        """Standard output of `docker …` or `podman …`."""
        return _run([self.cli, *words], self.environment, check, timeout_s)

    def compose_run(self, *words: str, check: bool = True, timeout_s: float = 900) -> str:
        """Standard output of `compose …` on the project's file."""
        return _run([*self.compose, *words], self.environment, check, timeout_s)

    def names(self) -> list[str]:
        """Containers of this project, also stopped ones."""
        project = self.environment["COMPOSE_PROJECT_NAME"]
        names = self.run("ps", "-a", "--format", "{{.Names}}").split()
        return [name for name in names if name.startswith(project)]


def why_not() -> str | None:
    """Why containers cannot run here; None where they can."""
    if _has_docker():
        return _why_not_started("docker")
    if not shutil.which("podman"):
        return "neither a running Docker nor Podman is here"
    if not shutil.which("podman-compose"):
        return "Podman is here, podman-compose is not"
    return _why_not_started("podman")


def _has_docker() -> bool:
    return bool(shutil.which("docker")) and all(
        _works(["docker", *words]) for words in (["info"], ["compose", "version"])
    )


def _why_not_started(cli: str) -> str | None:
    """A container of the base image that does nothing shows whether this machine lets containers run."""
    if not _works([cli, "image", "inspect", PUBLIC_PYTHON]) and not _works([cli, "pull", PUBLIC_PYTHON]):
        return f"the base image {PUBLIC_PYTHON} is neither here nor to be had"
    if not _works([cli, "run", "--rm", PUBLIC_PYTHON, "true"]):
        return f"{cli} is here and cannot start a container on this machine"
    return None


def find(
    project: str, ports: Mapping[str, int], files: Sequence[Path] = (COMPOSE_FILE, TOKEN_FILE)
) -> Engine:
    """The engine, with the settings of a test: a project name, ports of its own, images that are here.

    Only where `why_not()` is None.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    environment |= {name: str(port) for name, port in ports.items()}
    environment |= {"COMPOSE_PROJECT_NAME": project, "MODEL_NAME": "emulated", "LOCUST_WORKERS": "2"}
    named = tuple(word for path in files for word in ("-f", str(path)))
    if _has_docker():
        return Engine("docker", ("docker", "compose", *named), environment)
    if _works(["podman", "image", "exists", LOCAL_PROMETHEUS]):
        environment["PROMETHEUS_IMAGE"] = LOCAL_PROMETHEUS
    host_network = "--podman-build-args=--network=host"
    return Engine("podman", ("podman-compose", host_network, *named), environment)


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: Sequence[str], environment: Mapping[str, str], check: bool, timeout_s: float) -> str:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=timeout_s)
    said = f"{' '.join(command)}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    assert not check or done.returncode == 0, said
    return done.stdout
