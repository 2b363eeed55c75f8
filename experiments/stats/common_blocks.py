"""Means of settings that were not measured in the same blocks, brought to the same arrivals.

A block's trace moves the goodput of every setting, by more than most settings differ. So a mean over blocks
0 to 2 is not held against one over 0 to 9: each value is taken for its setting's level plus its block's, and
the levels are fitted by least squares (the intra-block analysis of incomplete block designs; Yates 1936,
"Incomplete randomized blocks"). Where every setting has the same blocks these are the plain means.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

S = TypeVar("S", bound=Hashable)
B = TypeVar("B", bound=Hashable)

_NOTHING = 1e-12


def means_on_common_blocks(values: Mapping[S, Mapping[B, float]]) -> dict[S, float]:
    """Mean of each setting over all blocks, as if it had been measured in all of them.

    Args:
        values: setting → block → value. A setting that no chain of common blocks links to the one with the
            most blocks cannot be compared, and is left out.
    """
    if len({frozenset(of) for of in values.values()}) <= 1:
        return {name: float(np.mean(list(of.values()))) for name, of in values.items() if of}
    linked = comparable(values)
    column = np.array([[value] for name in linked for value in values[name].values()])
    return {
        name: float(mean) for name, mean in zip(linked, _fitted(values, linked, column)[:, 0], strict=True)
    }


def weights_on_common_blocks(blocks: Mapping[S, Collection[B]]) -> dict[S, dict[tuple[S, B], float]]:
    """How much each value counts in each of the means of `means_on_common_blocks`, which are linear in them.

    Args:
        blocks: setting → the blocks in which it was measured.

    Returns:
        setting → (setting, block) → weight; those without any weight are left out.
    """
    linked = comparable(blocks)
    if len({frozenset(of) for of in blocks.values()}) <= 1:
        return {name: {(name, block): 1 / len(blocks[name]) for block in blocks[name]} for name in linked}
    cells = [(name, block) for name in linked for block in blocks[name]]
    fitted = _fitted(blocks, linked, np.eye(len(cells)))
    return {
        name: {cell: float(w) for cell, w in zip(cells, of, strict=True) if w}
        for name, of in zip(linked, fitted, strict=True)
    }


def comparable(blocks: Mapping[S, Collection[B]]) -> list[S]:
    """The settings that can be compared, in the order given: those that a chain of common blocks links to the
    one with the most blocks."""
    if not any(blocks.values()):
        return []
    first = max(blocks, key=lambda name: len(blocks[name]))
    found, seen = {first}, set(blocks[first])
    while more := [name for name, of in blocks.items() if name not in found and seen & set(of)]:
        found.update(more)
        seen.update(*(blocks[name] for name in more))
    return [name for name in blocks if name in found]


def _fitted(
    blocks: Mapping[S, Collection[B]], linked: Sequence[S], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Means of k settings (k, m) from m columns of the values of their n cells (n, m), setting by setting."""
    known = list(dict.fromkeys(block for name in linked for block in blocks[name]))
    cells = [(i, known.index(block)) for i, name in enumerate(linked) for block in blocks[name]]
    design = np.zeros((len(cells), len(linked) + len(known)))
    for row, (i, block) in enumerate(cells):
        design[row, i] = design[row, len(linked) + block] = 1.0
    levels = np.linalg.lstsq(design, values, rcond=None)[0]
    means: npt.NDArray[np.float64] = levels[: len(linked)] + levels[len(linked) :].mean(axis=0)
    # What is left of nothing by rounding is nothing.
    return np.where(np.abs(means) < _NOTHING * np.abs(values).max(axis=0), 0.0, means)
