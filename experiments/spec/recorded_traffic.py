"""The recording that the recorded loads of a sweep play."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.spec.loads import Load
from loadtests.planning.plan import Plan
from loadtests.traffic import recorded, replayed
from loadtests.traffic.recorded import Recorded
from loadtests.traffic.replayed import Stretch
from loadtests.traffic.when import Times


def read(folder: str, begin: str, end: str) -> Recorded:
    """What a recording's folder holds between two times, as they are typed.

    Raises:
        ValueError: with a sentence naming what is wrong.
    """
    return recorded.read(Path(folder), Times(begin, end))


def plan(
    traffic: Recorded, load: Load, stretch: tuple[float, float, int], seed: int, context_tokens: int | None
) -> Plan:
    """The plan of a stretch (warm-up and measured window in seconds, number from 0) under this load, on an
    engine with that context (None: not known, nothing is cut)."""
    assert load.rate_per_s is not None, "the matrix holds resolved loads only"
    factor = load.relative if load.relative is not None else load.rate_per_s / traffic.rate_per_s
    made = replayed.plan(traffic, factor, Stretch(*stretch), seed, context_tokens=context_tokens)
    # Of the load, to the last digit: cells are told apart by it. A stretch of its own has more or less.
    return replace(made, header=made.header._replace(rate_per_s=load.rate_per_s))
