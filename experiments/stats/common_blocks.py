"""Means of settings that were not measured in the same blocks, brought to the same arrivals.

A block's trace moves the goodput of every setting, by more than most settings differ. So a mean over blocks
0 to 2 is not held against one over 0 to 9: each value is taken for its setting's level plus its block's, and
the levels are fitted by least squares (the intra-block analysis of incomplete block designs; Yates 1936,
"Incomplete randomized blocks"). Where every setting has the same blocks these are the plain means.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np

S = TypeVar("S", bound=Hashable)
B = TypeVar("B", bound=Hashable)


def means_on_common_blocks(values: Mapping[S, Mapping[B, float]]) -> dict[S, float]:
    """Mean of each setting over all blocks, as if it had been measured in all of them.

    Args:
        values: setting → block → value. A setting that no chain of common blocks links to the one with the
            most blocks cannot be compared, and is left out.
    """
    if len({frozenset(of) for of in values.values()}) <= 1:
        return {name: float(np.mean(list(of.values()))) for name, of in values.items() if of}
    linked = _linked(values)
    blocks = list(dict.fromkeys(block for name in linked for block in values[name]))
    cells = [(i, blocks.index(block), v) for i, s in enumerate(linked) for block, v in values[s].items()]
    design = np.zeros((len(cells), len(linked) + len(blocks)))
    for row, (i, block, _) in enumerate(cells):
        design[row, i] = design[row, len(linked) + block] = 1.0
    levels = np.linalg.lstsq(design, np.array([value for *_, value in cells]), rcond=None)[0]
    of_blocks = float(levels[len(linked) :].mean())
    return {name: float(levels[i]) + of_blocks for i, name in enumerate(linked)}


def _linked(values: Mapping[S, Mapping[B, float]]) -> list[S]:
    """The settings linked to the one with the most blocks, in the order given."""
    first = max(values, key=lambda name: len(values[name]))
    found, blocks = {first}, set(values[first])
    while more := [name for name, of in values.items() if name not in found and blocks & set(of)]:
        found.update(more)
        blocks.update(*(values[name] for name in more))
    return [name for name in values if name in found]
