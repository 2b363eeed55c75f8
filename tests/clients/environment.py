"""Virtual environments of other people's clients, with pinned packages, made once in `.cache/clients`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from experiments.stack import paths
from experiments.stack.pip_to_uv import uv_environment
from experiments.stack.vllm_install import uv_program

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "sdks": ("openai==3.57.0", "anthropic==2.14.0", "litellm==1.110.2", "langchain-openai==1.7.4"),
    "guidellm": ("guidellm==0.8.1",),
    "aiperf": ("aiperf==0.13.0",),
}
"""What each environment holds. The first one installs in seconds; the others are gigabytes."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}
"""Clients get nothing from elsewhere while they run."""


def programs(name: str) -> Path:
    """The folder of the environment's programs. Skips the test where it cannot be installed."""
    wanted = PACKAGES[name]
    home = paths.cache() / "clients" / f"{name}-{sha256(repr(wanted).encode()).hexdigest()[:8]}"
    made = home / "complete"
    if not made.exists():
        uv = uv_program()
        if uv is None:
            pytest.skip("no uv to install clients with")
        python = home / "bin" / "python"
        _done([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)])
        _done([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *wanted])
        made.touch()
    return home / "bin"


def _done(command: list[str]) -> None:
    env = {**os.environ, **uv_environment()}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    if ended.returncode:
        pytest.skip(f"cannot be installed here: {ended.stderr.strip()[-300:]}")
