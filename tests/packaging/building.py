"""Building the wheel, and an environment that has nothing but it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from experiments.stack.pip_to_uv import uv_environment
from experiments.stack.vllm_install import uv_program

ROOT = Path(__file__).resolve().parents[2]


def wheel(folder: Path) -> Path:
    """The wheel of this checkout, built into `folder` without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, built: Path) -> Path:
    """A fresh virtual environment with the wheel and what it needs from the index; returns its bin folder."""
    uv = uv_program()
    if uv is not None:
        env = {**os.environ, **uv_environment()}  # uv does not read pip's configuration
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], env)
        _run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), str(built)], env)
    else:
        _run([sys.executable, "-m", "venv", str(folder)], dict(os.environ))
        _run(
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", str(built)], dict(os.environ)
        )
    return folder / "bin"


def _run(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
