"""Rates of settings that were not measured in the same blocks, brought to the same arrivals before one is
drawn beside the other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean
from typing import TypeVar

import pandas as pd

from experiments.stats.common_blocks import means_on_common_blocks, weights_on_common_blocks

V = TypeVar("V")


def mean_by_setting(cells: pd.DataFrame, value: str) -> dict[str, float]:
    """Setting → mean of a column over the blocks of one load, as if all had been measured in all of them.

    Args:
        cells: of one load, with columns `setting`, `block`, `plan_hash`; a nan in `value` is no measurement;
            of several cells of a block their mean counts. A setting without any, or that no common block
            links to the others, is left out.
    """
    known = cells[cells[value].notna()]
    values = _by_block(known, [float(number) for number in known[value]])
    by_block = {s: {block: fmean(of) for block, of in blocks.items()} for s, blocks in values.items()}
    return means_on_common_blocks(by_block) if by_block else {}


def weights_by_setting(cells: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Setting → cell → what its value counts in the setting's `mean_by_setting`, all values being known."""
    names = _by_block(cells, [str(name) for name in cells["cell"]])
    return {
        setting: {cell: w / len(names[s][block]) for (s, block), w in of.items() for cell in names[s][block]}
        for setting, of in weights_on_common_blocks(names).items()
    }


def _by_block(cells: pd.DataFrame, values: Iterable[V]) -> dict[str, dict[tuple[float, str], list[V]]]:
    """Setting → arrivals → the values of its cells there."""
    found: dict[str, dict[tuple[float, str], list[V]]] = {}
    for setting, block, plan, value in zip(
        cells["setting"], cells["block"], cells["plan_hash"], values, strict=True
    ):
        known_block = -1.0 if math.isnan(block) else float(block)
        found.setdefault(setting, {}).setdefault((known_block, str(plan)), []).append(value)
    return found
