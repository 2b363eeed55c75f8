"""Finds the Prometheus server, or fetches it without installing or starting a service."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import paths
from experiments.stack.process import Progress

DEBIAN_BINARY = Path("usr/bin/prometheus")
REMEDY = (
    "install Prometheus and put `prometheus` on the PATH (Debian and Ubuntu: the package prometheus; macOS: "
    "brew install prometheus; others: the archive from prometheus.io/download), or give --gateway-url and "
    "--prometheus-url"
)


def find(tools: Path | None = None) -> Path:
    """The Prometheus on the PATH, else the one fetched into `tools` (None: the project's own folder).

    Raises:
        EnvironmentProblem: there is none; the sentence says how to get it.
    """
    binary = _look(tools or paths.tools())
    if binary is None:
        raise EnvironmentProblem(f"Prometheus is missing: `make setup` fetches it here, or {REMEDY}")
    return binary


def provide(tools: Path | None = None, on_progress: Progress | None = None) -> Path:
    """Like `find`, but fetches what is missing: out of Debian's package, else with Homebrew.

    The package is only unpacked into `tools`: its service, which would take port 9090, is not started.

    Raises:
        EnvironmentProblem: it can neither be found nor fetched.
    """
    tools = tools or paths.tools()
    binary = _look(tools)
    if binary is not None:
        return binary
    say = on_progress or (lambda _message: None)
    if shutil.which("apt-get") and shutil.which("dpkg"):
        say("fetching Prometheus out of its Debian package")
        why = _from_debian(tools)
    elif shutil.which("brew"):
        say("installing Prometheus with Homebrew")
        why = _run(["brew", "install", "prometheus"], Path.cwd())
    else:
        why = "neither apt-get nor brew is here"
    binary = _look(tools)
    if binary is None:
        raise EnvironmentProblem(f"Prometheus could not be fetched ({why}); {REMEDY}")
    return binary


def _look(tools: Path) -> Path | None:
    on_path = shutil.which("prometheus")
    if on_path:
        return Path(on_path)
    fetched = tools / "prometheus" / DEBIAN_BINARY
    return fetched if os.access(fetched, os.X_OK) else None


def _from_debian(tools: Path) -> str:
    """Download and unpack the package; returns why it failed, or an empty text."""
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools) as folder:
        work = Path(folder)
        why = _run(["apt-get", "download", "prometheus"], work)
        if why:  # fresh machines have no package lists yet
            options = [] if os.geteuid() == 0 else _private_lists(work)
            _run(["apt-get", *options, "update"], work)
            why = _run(["apt-get", *options, "download", "prometheus"], work)
        packages = list(work.glob("prometheus_*.deb"))
        if not packages:
            return why or "apt-get downloaded nothing"
        return _run(["dpkg", "-x", str(packages[0]), str(tools / "prometheus")], work)


def _private_lists(work: Path) -> list[str]:
    """Options that let a user who is not root fetch package lists into a folder of ours."""
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    return ["-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]


def _run(command: list[str], cwd: Path) -> str:
    """Run it; an empty text when it worked, else its last line."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"{command[0]} ended with exit code {done.returncode}"
