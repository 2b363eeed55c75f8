"""Where a run was made: what a reader needs to judge or repeat it. Collected without being asked; a fact that
cannot be had is left out, never guessed.
"""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("locust", "aiohttp", "uvicorn", "fastapi", "numpy", "pandas", "prometheus-client")


def collect(checkout: Path | None) -> dict[str, Any]:
    """Facts about the machine, the project's version and the libraries that shape a measurement.

    `checkout`: asked for the commit. None where the project is installed: the repository around an
    environment is somebody else's.
    """
    facts: dict[str, Any] = {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": {"model": _cpu_model(), "cores": os.cpu_count(), "usable_cores": len(os.sched_getaffinity(0))},
        "load_average_1min": os.getloadavg()[0],
        "commit": _git(checkout, "rev-parse", "HEAD"),
        "uncommitted_changes": _is_dirty(checkout),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
    gpus = _gpus()
    if gpus:
        facts["gpus"] = gpus
    return facts


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
