"""The matrix: engine values × blocks × settings × loads → cells, in a seeded random order inside each
block.
"""

import itertools
import random
from dataclasses import asdict, dataclass, replace
from typing import Any

from experiments.config import AUTO, SweepSpec
from experiments.loads import Load
from experiments.stack.engine_knobs import NAMES as ENGINE_KEYS
from experiments.stack.engine_knobs import EngineKnobs

_SHORT = {"max_num_seqs": "seqs", "max_num_batched_tokens": "tokens", "max_num_queued_reqs": "reqs"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One gateway setting, its keys as in `PUT /admin/limits`, and the limits its engine was started with
    where the sweep varies them (None: it does not).
    """

    max_active: int
    queue_mode: str
    queue_max: int
    queue_timeout_s: float
    queue_order: str
    request_timeout_s: float
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    max_num_queued_reqs: int | None = None

    @property
    def name(self) -> str:
        """Short and unique within a sweep, safe in a file name; the engine's part first."""
        knobs = self.engine.given().items()
        engine = "".join(f"{_SHORT[name]}{value}-" for name, value in knobs)
        if self.queue_mode == "reject":
            return f"{engine}ma{self.max_active}-reject"
        order = "" if self.queue_order == "fifo" else f"-{self.queue_order}"
        return f"{engine}ma{self.max_active}-q{self.queue_max}-t{self.queue_timeout_s:g}s{order}"

    @property
    def engine(self) -> EngineKnobs:
        """What the engine is started with for this setting."""
        return EngineKnobs(*(getattr(self, name) for name in ENGINE_KEYS))

    def on(self, knobs: EngineKnobs) -> "Setting":
        """The same gateway setting before an engine with these limits."""
        return replace(self, **asdict(knobs))

    def limits(self) -> dict[str, Any]:
        """The body of `PUT /admin/limits`."""
        return {key: value for key, value in asdict(self).items() if key not in ENGINE_KEYS}

    def to_json(self) -> dict[str, Any]:
        """As stored: the limits, and the engine's where the sweep varies them."""
        return self.limits() | self.engine.given()


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: a setting under one load's trace. `block` numbers the trace, from 0.

    A `sentinel` is none of the matrix: the current setting on one trace in every block, to see drift.
    """

    setting: Setting
    load: Load
    block: int
    sentinel: bool = False

    @property
    def id(self) -> str:
        """Unique within a sweep; the name of the cell's folder."""
        load = str(self.load).replace("@", "-").replace("/", "-")
        name = f"{self.setting.name}--{load}--b{self.block}"
        return f"sentinel--{name}" if self.sentinel else name


def settings(spec: SweepSpec, auto_queue_timeout_s: float) -> tuple[Setting, ...]:
    """Every distinct setting of the matrix, in the order of the spec.

    In reject mode nobody queues, so the queue's axes fold into one setting.
    """
    axes = spec.gateway
    found: dict[str, Setting] = {}
    for max_active, mode, queue_max, timeout, order in itertools.product(
        axes.max_active, axes.queue_mode, axes.queue_max, axes.queue_timeout_s, axes.queue_order
    ):
        timeout_s = auto_queue_timeout_s if timeout == AUTO else float(timeout)
        setting = Setting(max_active, mode, queue_max, timeout_s, order, axes.request_timeout_s)
        found.setdefault(setting.name, setting)
    return tuple(found.values())


def cells(
    all_settings: tuple[Setting, ...],
    loads: tuple[Load, ...],
    blocks: int,
    seed: int,
    *,
    engines: tuple[EngineKnobs, ...] = (EngineKnobs(),),
    sentinel: tuple[Setting, Load] | None = None,
) -> tuple[Cell, ...]:
    """All cells in running order: one engine value after the other, for each block by block, inside a block
    in random order.

    A block is one arrival trace per load. Random order inside it keeps a drift of the machine from taking one
    setting's side. An engine is started once for each value and so cannot change places inside a block: its
    values are the whole plots of a split-plot design, the blocks inside them the same traces. With
    `sentinel`, each block holds that setting under that load once more.
    """
    order: list[Cell] = []
    for knobs, block in itertools.product(engines, range(blocks)):
        in_block = [Cell(setting, load, block) for setting in all_settings for load in loads]
        if sentinel is not None:
            in_block.append(Cell(*sentinel, block, sentinel=True))
        shuffled = f"{seed}/{block}/{knobs}" if knobs.given() else f"{seed}/{block}"
        random.Random(shuffled).shuffle(in_block)
        order.extend(replace(cell, setting=cell.setting.on(knobs)) for cell in in_block)
    return tuple(order)
