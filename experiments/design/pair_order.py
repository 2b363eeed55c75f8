"""Which of two sides goes first in each block, so that a machine that drifts takes neither one's side."""

from __future__ import annotations

import random
from enum import StrEnum


class Side(StrEnum):
    """One of the two that are compared; A is the baseline."""

    A = "a"
    B = "b"


def order_of(seed: int, block: int) -> tuple[Side, Side]:
    """The sides of this block (from 0) in running order.

    Of every two blocks one begins with A and one with B, which of them by chance (randomised blocks of two):
    a drift that is linear in time cancels over each such pair. The very first begins with A, whose probe
    says how both are loaded.
    """
    pair, second = divmod(block, 2)
    a_begins = pair == 0 or random.Random(f"{seed}/{pair}").random() < 0.5
    return (Side.A, Side.B) if a_begins != bool(second) else (Side.B, Side.A)
