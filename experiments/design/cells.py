"""The matrix: engine values × blocks × settings × loads → cells, in a seeded random order inside each
block.
"""

import itertools
import random
from dataclasses import dataclass, replace

from experiments.design.cell_purpose import CellPurpose
from experiments.spec.loads import Load
from experiments.spec.named_lanes import NamedLanes
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import LIMIT_NAMES, Limits, QueueOrder


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: a setting under one load's trace. `block` numbers the trace, from 0.

    A `sentinel` is none of the matrix: the current setting on one trace in every block, to see drift. Nor
    are the cells of another `purpose`, which no setting is chosen by.
    """

    setting: Setting
    load: Load
    block: int
    sentinel: bool = False
    purpose: CellPurpose = CellPurpose.MATRIX

    @property
    def id(self) -> str:
        """Unique within a sweep; the name of the cell's folder."""
        load = str(self.load).replace("@", "-").replace("/", "-")
        name = f"{self.setting.name}--{load}--b{self.block}"
        if self.purpose is not CellPurpose.MATRIX:
            name = f"{name}--{self.purpose}"
        return f"sentinel--{name}" if self.sentinel else name


def settings_of(spec: SweepSpec, auto_queue_timeout_s: float) -> tuple[Setting, ...]:
    """Every distinct setting of the matrix, in the order of the spec.

    In reject mode nobody queues, so the queue's axes fold into one setting; without lanes nothing is shared,
    so `fair` is `fifo`.
    """
    axes = spec.gateway.axes(auto_queue_timeout_s)
    found: dict[str, Setting] = {}
    tables: tuple[NamedLanes | None, ...] = spec.gateway.lanes or (None,)
    for values, lanes in itertools.product(itertools.product(*(axes[name] for name in LIMIT_NAMES)), tables):
        limits = Limits.of(dict(zip(LIMIT_NAMES, values, strict=True)))
        if lanes is not None and not lanes.lanes.shared and limits.queue_order is QueueOrder.FAIR:
            limits = replace(limits, queue_order=QueueOrder.FIFO)
        setting = Setting(limits, lanes=lanes)
        found.setdefault(setting.name, setting)
    return tuple(found.values())


def cells_in_order(
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
