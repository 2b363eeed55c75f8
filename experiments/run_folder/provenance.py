"""Where a run was made: what a reader needs to judge or repeat it. Collected without being asked; a fact that
cannot be had is left out, never guessed.
"""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_PACKAGES = ("locust", "httptools", "uvicorn", "fastapi", "numpy", "pandas", "prometheus-client")


@dataclass(frozen=True, slots=True)
class Cpu:
    """The machine's processor."""

    model: str | None
    cores: int | None
    usable_cores: int | None
    """those that this process may use"""

    def __str__(self) -> str:
        return f"{self.model or 'unknown'}, {self.usable_cores} of {self.cores} cores"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run was made; none where a fact cannot be had."""

    python: str | None = None
    platform: str | None = None
    cpu: Cpu | None = None
    load_average_1min: float | None = None
    """runnable tasks of the machine when the run began"""
    commit: str | None = None
    """of this project's code"""
    uncommitted_changes: bool | None = None
    packages: dict[str, str] | None = None
    """versions of the libraries that shape a measurement"""
    gpus: tuple[str, ...] | None = None
    """name, driver, memory and largest SM clock of each"""


def collect(checkout: Path | None) -> Provenance:
    """Facts about the machine, the project's version and the libraries that shape a measurement.

    `checkout`: asked for the commit. None where the project is installed: the repository around an
    environment is somebody else's.
    """
    return Provenance(
        python=sys.version.split()[0],
        platform=platform.platform(),
        cpu=Cpu(_cpu_model(), os.cpu_count(), len(os.sched_getaffinity(0))),
        load_average_1min=os.getloadavg()[0],
        commit=_git(checkout, "rev-parse", "HEAD"),
        uncommitted_changes=_is_dirty(checkout),
        packages={name: metadata.version(name) for name in _PACKAGES},
        gpus=tuple(_gpus()) or None,
    )


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _git(checkout: Path | None, *arguments: str) -> str | None:
    return None if checkout is None else _output(["git", "-C", str(checkout), *arguments])


def _is_dirty(checkout: Path | None) -> bool | None:
    status = _git(checkout, "status", "--porcelain")
    return None if status is None else bool(status)


def _gpus() -> list[str]:
    fields = "name,driver_version,memory.total,clocks.max.sm"
    lines = _output(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"])
    return lines.splitlines() if lines else []


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
