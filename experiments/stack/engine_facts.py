"""What is known of a running engine: what it says of itself, and how we started it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from experiments.observe import engine_metrics
from experiments.observe.engine_metrics import EngineMetrics
from experiments.stack.paths import CODE, home


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself and how it was started; none and empty: not known."""

    models: tuple[str, ...] = ()
    """the names it serves"""
    max_model_len: int | None = None
    """longest prompt and answer together, tokens"""
    root: str | None = None
    """where the weights are from"""
    engine_kind: str | None = None
    """what it was taken for: `vllm`, `emulator`, `sglang` …, else the owner of its models"""
    version: str | None = None
    block_size: int | None = None
    """of its KV cache, tokens"""
    num_gpu_blocks: int | None = None
    """of its KV cache"""
    enable_prefix_caching: str | None = None
    """as the engine prints it"""
    kv_cache_size_tokens: int | None = None
    command: tuple[str, ...] = ()
    """how it was started, with paths inside the project relative to it"""
    cpus: tuple[int, ...] | None = None
    """the CPU numbers it was given"""
    max_num_seqs: int | None = None
    """its largest batch, sequences"""
    knobs: dict[str, int] = field(default_factory=dict)
    """limits that it was started with, by name"""
    why: str = ""
    """what the user should know about the choice of this engine"""
    ready_after_s: float | None = None
    """from its start until it was ready"""
    gpu: str | None = None
    """its name"""
    stack: str | None = None
    """`compose` where it belongs to the compose stack"""
    recognised_by: str = ""
    """what an engine that runs elsewhere was known by; empty: it is of no known kind, or ours"""
    metrics_page: bool | None = None
    """whether it has one; none: it was not asked"""
    no_metrics: str | None = None
    """what its `/metrics` is or does instead of being a page of metrics"""
    metric_names: dict[str, str] | None = None
    """what is read of it → what it calls it; none: it was not asked, and is read as vLLM"""
    untold: tuple[str, ...] = ()
    """what it does not tell, in words"""

    @property
    def model(self) -> str:
        """The first model that it serves; empty where it is not known."""
        return self.models[0] if self.models else ""

    @property
    def metrics(self) -> EngineMetrics:
        """What it calls its metrics."""
        if self.metric_names is None:
            return engine_metrics.VLLM
        known = {item.name for item in fields(EngineMetrics)}
        return EngineMetrics(**{what: name for what, name in self.metric_names.items() if what in known})

    @property
    def known_version(self) -> str:
        """The version as text."""
        return self.version or "of unknown version"

    def to_json(self) -> dict[str, object]:
        """As stored in run.json and calibration.json; every key is there."""
        stored = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in stored.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EngineFacts:
        """The inverse of `to_json`, of any version: what it does not know is left out, what is
        missing is not known."""
        known = {item.name: stored[item.name] for item in fields(cls) if stored.get(item.name) is not None}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """The command with our own paths made relative to their folder: a run folder is mailed and archived."""
    return tuple(word.removeprefix(f"{home()}/").removeprefix(f"{CODE}/") for word in command)


def max_num_seqs(command: Sequence[str]) -> int | None:
    """The largest batch in sequences that a command line sets; None where the engine keeps its default."""
    return whole(argument(command, "--max-num-seqs"))


def argument(command: Sequence[str], flag: str) -> str | None:
    """What follows `flag` in a command line; None where it is not given."""
    return command[command.index(flag) + 1] if flag in command else None


def whole(text: str | None) -> int | None:
    """The whole number that a text is; None where it is none."""
    return int(text) if text is not None and text.isdigit() else None
