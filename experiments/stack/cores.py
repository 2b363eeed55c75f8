"""Which cores the engine gets and which all others do, so that they do not measure each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.errors import UserError

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Cores:
    """CPU numbers of the engine, and of everything else that is started; None: all of them."""

    engine: frozenset[int] | None = None
    others: frozenset[int] | None = None


def usable() -> tuple[int, ...]:
    """The CPU numbers that this process may use, ascending; none where the system cannot pin processes."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def split(asked: str, *, engine_is_here: bool, available: Sequence[int] | None = None) -> Cores:
    """How the `available` cores (None: `usable`) are shared out.

    Args:
        asked: the engine's, such as `0`, `0-3` or `0,2`; empty: nothing is pinned; `auto`: the lower half of
            them where there are two or more and the engine computes on them, else nothing is pinned.
        engine_is_here: whether the engine computes on this machine's CPU.
        available: CPU numbers, ascending.

    Raises:
        UserError: `asked` is none of these, or names a core that is not available.
    """
    cores = usable() if available is None else tuple(available)
    if asked == "":
        return Cores()
    if asked == AUTO:
        if not engine_is_here or len(cores) < 2:
            return Cores()
        engine = frozenset(cores[: len(cores) // 2])
    else:
        engine = _parse(asked)
        if not engine <= set(cores):
            allowed = f"cores {cores[0]}-{cores[-1]} only" if cores else "whatever core the system gives it"
            raise UserError(f"--engine-cpus {asked}: this process may use {allowed}")
    return Cores(engine, frozenset(cores) - engine or None)


def _parse(text: str) -> frozenset[int]:
    try:
        cores: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise UserError(f"--engine-cpus {text!r}: write core numbers such as 0, 0-3 or 0,2") from None
    return frozenset(cores)
