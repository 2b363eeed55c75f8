"""The matrix: settings × loads × blocks → cells, in a seeded random order inside each block."""

import itertools
import random
from dataclasses import asdict, dataclass
from typing import Any

from experiments.config import AUTO, SweepSpec
from experiments.loads import Load


@dataclass(frozen=True, slots=True)
class Setting:
    """One gateway setting, its keys as in `PUT /admin/limits`."""

    max_active: int
    queue_mode: str
    queue_max: int
    queue_timeout_s: float
    queue_order: str
    request_timeout_s: float

    @property
    def name(self) -> str:
        """Short and unique within a sweep, safe in a file name."""
        if self.queue_mode == "reject":
            return f"ma{self.max_active}-reject"
        order = "" if self.queue_order == "fifo" else f"-{self.queue_order}"
        return f"ma{self.max_active}-q{self.queue_max}-t{self.queue_timeout_s:g}s{order}"

    def limits(self) -> dict[str, Any]:
        """The body of `PUT /admin/limits`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: a setting under one load's trace. `block` numbers the trace, from 0."""

    setting: Setting
    load: Load
    block: int

    @property
    def id(self) -> str:
        """Unique within a sweep; the name of the cell's folder."""
        return f"{self.setting.name}--{str(self.load).replace('@', '-')}--b{self.block}"


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
    all_settings: tuple[Setting, ...], loads: tuple[Load, ...], blocks: int, seed: int
) -> tuple[Cell, ...]:
    """All cells in running order: block by block, inside a block in random order.

    A block is one arrival trace per load. Random order inside it keeps a drift of the machine from taking one
    setting's side.
    """
    order: list[Cell] = []
    for block in range(blocks):
        in_block = [Cell(setting, load, block) for setting in all_settings for load in loads]
        random.Random(f"{seed}/{block}").shuffle(in_block)
        order.extend(in_block)
    return tuple(order)
