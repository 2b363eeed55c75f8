"""One setting: the gateway's limits, and what its engine was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from experiments.stack.engine_knobs import NAMES as ENGINE_NAMES
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import LIMIT_NAMES, Limits, QueueMode, QueueOrder

_SHORT = {"max_num_seqs": "seqs", "max_num_batched_tokens": "tokens", "max_num_queued_reqs": "reqs"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the matrix: the gateway's limits, and the engine's where the sweep varies those."""

    limits: Limits
    engine: EngineKnobs = field(default_factory=EngineKnobs)

    @property
    def name(self) -> str:
        """Short and unique within a sweep, safe in a file name; the engine's part first."""
        limits = self.limits
        engine = "".join(f"{_SHORT[name]}{value}-" for name, value in self.engine.given().items())
        if limits.queue_mode is QueueMode.REJECT:
            return f"{engine}ma{limits.max_active}-reject"
        order = "" if limits.queue_order is QueueOrder.FIFO else f"-{limits.queue_order}"
        return f"{engine}ma{limits.max_active}-q{limits.queue_max}-t{limits.queue_timeout_s:g}s{order}"

    def on(self, knobs: EngineKnobs) -> Setting:
        """The same limits before an engine that was started with `knobs`."""
        return replace(self, engine=knobs)

    @property
    def smaller_first(self) -> tuple[int, int, float, int]:
        """A key that sorts what holds less first: fewer slots, then a shorter queue, less patience, a smaller
        batch."""
        limits = self.limits
        timeout_s = limits.queue_timeout_s if limits.room else 0.0
        return limits.max_active, limits.room, timeout_s, self.engine.max_num_seqs or 0

    def to_json(self) -> dict[str, int | float | str]:
        """Flat, as it is stored: the limits, and the engine's where the sweep varies them."""
        return self.limits.values() | self.engine.given()

    def env(self) -> dict[str, str]:
        """The variables that start gateway and engine with it."""
        return {name.upper(): _as_text(value) for name, value in self.to_json().items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Setting:
        """The inverse of `to_json`.

        Raises:
            ValueError: a limit is missing, or a mode or order is none of the gateway's.
            TypeError: a name is neither a limit nor one of the engine's.
        """
        if missing := [name for name in LIMIT_NAMES if name not in stored]:
            raise ValueError(f"a setting without {', '.join(missing)}")
        engine = {name: value for name, value in stored.items() if name not in LIMIT_NAMES}
        if unknown := [name for name in engine if name not in ENGINE_NAMES]:
            raise TypeError(f"{unknown[0]} is no limit of gateway or engine")
        return cls(Limits.of({name: stored[name] for name in LIMIT_NAMES}), EngineKnobs.of(engine))


def _as_text(value: int | float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
