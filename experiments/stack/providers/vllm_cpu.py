"""vLLM's CPU build, which without a model serves the project's tiny one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from experiments.stack import paths, tiny_model, vllm_install
from experiments.stack.engine_facts import EngineFacts, argument
from experiments.stack.process import Progress
from experiments.stack.providers import vllm
from experiments.stack.providers.provider import EngineChoice, Launch, Provider

MAX_NUM_SEQS = 16
MAX_NUM_BATCHED_TOKENS = 2048
KV_CACHE_GIB = 1


def _launch(choice: EngineChoice, port: int, cpus: Collection[int] | None) -> Launch:
    variables = {**vllm.VARIABLES, "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB)}
    if cpus:
        variables["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(str(cpu) for cpu in sorted(cpus))
    batch, others = choice.knobs.max_num_seqs or MAX_NUM_SEQS, replace(choice.knobs, max_num_seqs=None)
    argv = [*vllm.api_server(port), "--enforce-eager", "--max-num-seqs", str(batch)]
    if choice.model:
        argv += ["--model", choice.model, *others.flags()]
        return Launch((*argv, *choice.engine_args), variables)
    shape = tiny_model.TinyShape()
    argv += ["--model", str(_tiny_model(shape)), "--served-model-name", f"tiny-{shape.layers}x{shape.width}"]
    argv += ["--load-format", "dummy", "--max-model-len", "4096"]
    if others.max_num_batched_tokens is None:
        others = replace(others, max_num_batched_tokens=MAX_NUM_BATCHED_TOKENS)
    variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return Launch((*argv, *others.flags(), *choice.engine_args), variables)


def _tiny_model(shape: tiny_model.TinyShape) -> Path:
    digest = sha256(json.dumps(asdict(shape)).encode()).hexdigest()[:8]
    return tiny_model.build(paths.cache() / f"tiny-{shape.layers}x{shape.width}-{digest}", shape)


def _label(facts: EngineFacts, title: str) -> str:
    weights = ", random weights" if argument(facts.command, "--load-format") == "dummy" else ""
    return f"{title} {facts.known_version} (CPU, {facts.model}{weights})"


def _install(on_progress: Progress | None) -> Path:
    return vllm_install.install(vllm_install.CPU, on_progress=on_progress)


VLLM_CPU = Provider(
    "vllm-cpu",
    "vLLM",
    _label,
    _launch,
    _install,
    check_knobs=vllm.check_knobs,
    on_our_cores=True,
    slo_scaled=True,
)
