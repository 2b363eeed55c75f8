"""Rates of settings that were not measured in the same blocks, brought to the same arrivals before one is
drawn beside the other."""

from __future__ import annotations

import math
from statistics import fmean

import pandas as pd

from experiments.stats.common_blocks import means_on_common_blocks


def mean_by_setting(cells: pd.DataFrame, value: str) -> dict[str, float]:
    """Setting → mean of a column over the blocks of one load, as if all had been measured in all of them.

    Args:
        cells: of one load, with columns `setting`, `block`, `plan_hash`; a nan in `value` is no measurement;
            of several cells of a block their mean counts. A setting without any, or that no common block
            links to the others, is left out.
    """
    known = cells[cells[value].notna()]
    values: dict[str, dict[tuple[float, str], list[float]]] = {}
    columns = (known["setting"], known["block"], known["plan_hash"], known[value])
    for setting, block, plan, number in zip(*columns, strict=True):
        known_block = -1.0 if math.isnan(block) else float(block)
        values.setdefault(setting, {}).setdefault((known_block, str(plan)), []).append(float(number))
    by_block = {s: {block: fmean(of) for block, of in blocks.items()} for s, blocks in values.items()}
    return means_on_common_blocks(by_block) if by_block else {}
