"""One setting: the gateway's limits and lanes, and what its engine was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from experiments.spec.named_lanes import NamedLanes
from experiments.stack.engine_knobs import NAMES as ENGINE_NAMES
from experiments.stack.engine_knobs import EngineKnobs
from gateway.lane import Lanes
from gateway.limits import LIMIT_NAMES, Limits, QueueMode, QueueOrder, SlotCost

LANES = "lanes"
"""Key of a setting's lanes."""
FIRST_LIMITS = tuple(name for name in LIMIT_NAMES if name != "slot_cost")
"""The limits that every stored setting has; an earlier version's has its default of the others."""
_SHORT = {"max_num_seqs": "seqs", "max_num_batched_tokens": "tokens", "max_num_queued_reqs": "reqs"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the matrix: the gateway's limits, the engine's where the sweep varies those, and the
    lanes; None: those that the gateway has."""

    limits: Limits
    engine: EngineKnobs = field(default_factory=EngineKnobs)
    lanes: NamedLanes | None = None

    @property
    def name(self) -> str:
        """Short and unique within a sweep, safe in a file name; the engine's part first."""
        limits = self.limits
        engine = "".join(f"{_SHORT[name]}{value}-" for name, value in self.engine.given().items())
        cost = "" if limits.slot_cost is SlotCost.REQUESTS else f"-{limits.slot_cost}"
        lanes = "" if self.lanes is None else f"-lanes-{self.lanes.name}"
        if limits.queue_mode is QueueMode.REJECT:
            return f"{engine}ma{limits.max_active}-reject{cost}{lanes}"
        order = "" if limits.queue_order is QueueOrder.FIFO else f"-{limits.queue_order}"
        queue = f"q{limits.queue_max}-t{limits.queue_timeout_s:g}s{order}"
        return f"{engine}ma{limits.max_active}-{queue}{cost}{lanes}"

    def on(self, knobs: EngineKnobs) -> Setting:
        """The same limits before an engine that was started with `knobs`."""
        return replace(self, engine=knobs)

    @property
    def smaller_first(self) -> tuple[int, int, float, int, bool, bool]:
        """A key that sorts what holds less first: fewer slots, then a shorter queue, less patience, a smaller
        batch; of equals the simpler: slots that count requests, no lanes."""
        limits = self.limits
        timeout_s = limits.queue_timeout_s if limits.room else 0.0
        counts_tokens = limits.slot_cost is SlotCost.TOKENS
        shared = self.lanes is not None and self.lanes.lanes.shared
        batch = self.engine.max_num_seqs or 0
        return limits.max_active, limits.room, timeout_s, batch, counts_tokens, shared

    def axes(self) -> dict[str, int | float | str]:
        """Its value on every axis: the limits, what the sweep varies of the engine's, the lanes by name."""
        lanes = {} if self.lanes is None else {LANES: self.lanes.name}
        return self.limits.values() | self.engine.given() | lanes

    @property
    def table(self) -> Lanes | None:
        """Its lanes as the gateway has them; None where those are not varied."""
        return None if self.lanes is None else self.lanes.lanes

    def differs_in(self, other: Setting) -> tuple[str, ...]:
        """The axes on which they differ; other lanes bring their order along, which is no second one."""
        mine, its = self.axes(), other.axes()
        found = [name for name in mine | its if mine.get(name) != its.get(name)]
        return tuple(name for name in found if LANES not in found or name != "queue_order")

    def to_json(self) -> dict[str, JsonValue]:
        """As it is stored: the axes flat, the lanes as a table of their own."""
        lanes: dict[str, JsonValue] = {} if self.lanes is None else {LANES: self.lanes.to_json()}
        return {**self.axes(), **lanes}

    def env(self) -> dict[str, str]:
        """The variables that start gateway and engine with it; lanes are no variable but a file."""
        values = self.limits.values() | self.engine.given()
        return {name.upper(): _as_text(value) for name, value in values.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Setting:
        """The inverse of `to_json`.

        Raises:
            ValueError: a limit is missing, a mode or order is none of the gateway's, or lanes cannot be.
            TypeError: a name is neither a limit nor one of the engine's.
        """
        if missing := [name for name in FIRST_LIMITS if name not in stored]:
            raise ValueError(f"a setting without {', '.join(missing)}")
        engine = {name: value for name, value in stored.items() if name not in (*LIMIT_NAMES, LANES)}
        if unknown := [name for name in engine if name not in ENGINE_NAMES]:
            raise TypeError(f"{unknown[0]} is no limit of gateway or engine")
        limits = Limits.of({name: stored[name] for name in LIMIT_NAMES if name in stored})
        return cls(limits, EngineKnobs.of(engine), _lanes_of(stored.get(LANES)))


def _lanes_of(stored: object) -> NamedLanes | None:
    if stored is None:
        return None
    if not isinstance(stored, Mapping):
        raise ValueError("the lanes of a setting are an object")
    return NamedLanes.from_json(stored)


def _as_text(value: int | float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
