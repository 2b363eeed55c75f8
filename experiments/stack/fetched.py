"""Finds a server of the Prometheus project, or fetches it without installing or starting a service."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import paths
from experiments.stack.process import Progress


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is looked for, then fetched.

    Attributes:
        title: what messages call it.
        package: of Debian; unpacked into a folder of this name, where its program is `usr/bin/PACKAGE`.
        names: that it may have on the PATH.
        formula: of Homebrew.
        command: what fetches it.
        otherwise: what else to do where it cannot be had; ends a sentence.
    """

    title: str
    package: str
    names: tuple[str, ...]
    formula: str
    command: str
    otherwise: str

    @property
    def remedy(self) -> str:
        """How to get it by hand."""
        return (
            f"install {self.title} and put `{self.names[0]}` on the PATH (Debian and Ubuntu: the package "
            f"{self.package}; macOS: brew install {self.formula}; others: the archive from "
            f"prometheus.io/download), or {self.otherwise}"
        )


PROMETHEUS = Program(
    "Prometheus", "prometheus", ("prometheus",), "prometheus",
    "`make setup`", "give --gateway-url and --prometheus-url",
)  # fmt: skip
ALERTMANAGER = Program(
    "Alertmanager", "prometheus-alertmanager", ("alertmanager", "prometheus-alertmanager"), "alertmanager",
    "`python -m experiments.stack.provide alertmanager`", "leave ALERT_… unset",
)  # fmt: skip


def find(program: Program, tools: Path | None = None) -> Path:
    """The program on the PATH, else the one fetched into `tools` (None: the project's own folder).

    Raises:
        EnvironmentProblem: there is none; the sentence says how to get it.
    """
    binary = _look(program, tools or paths.tools())
    if binary is None:
        raise EnvironmentProblem(
            f"{program.title} is missing: {program.command} fetches it here, or {program.remedy}"
        )
    return binary


def provide(program: Program, tools: Path | None = None, on_progress: Progress | None = None) -> Path:
    """Like `find`, but fetches what is missing: out of Debian's package, else with Homebrew.

    The package is only unpacked into `tools`: its service, which would take a port, is not started.

    Raises:
        EnvironmentProblem: it can neither be found nor fetched.
    """
    tools = tools or paths.tools()
    binary = _look(program, tools)
    if binary is not None:
        return binary
    say = on_progress or (lambda _message: None)
    if shutil.which("apt-get") and shutil.which("dpkg"):
        say(f"fetching {program.title} out of its Debian package")
        why = _from_debian(program.package, tools)
    elif shutil.which("brew"):
        say(f"installing {program.title} with Homebrew")
        why = _run(["brew", "install", program.formula], Path.cwd())
    else:
        why = "neither apt-get nor brew is here"
    binary = _look(program, tools)
    if binary is None:
        raise EnvironmentProblem(f"{program.title} could not be fetched ({why}); {program.remedy}")
    return binary


def _look(program: Program, tools: Path) -> Path | None:
    on_path = next(filter(None, map(shutil.which, program.names)), None)
    if on_path:
        return Path(on_path)
    fetched = tools / program.package / "usr" / "bin" / program.package
    return fetched if os.access(fetched, os.X_OK) else None


def _from_debian(package: str, tools: Path) -> str:
    """Download and unpack the package; returns why it failed, or an empty text."""
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools) as folder:
        work = Path(folder)
        why = _run(["apt-get", "download", package], work)
        if why:  # fresh machines have no package lists yet
            options = [] if os.geteuid() == 0 else _private_lists(work)
            _run(["apt-get", *options, "update"], work)
            why = _run(["apt-get", *options, "download", package], work)
        packages = list(work.glob(f"{package}_*.deb"))
        if not packages:
            return why or "apt-get downloaded nothing"
        return _run(["dpkg", "-x", str(packages[0]), str(tools / package)], work)


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
