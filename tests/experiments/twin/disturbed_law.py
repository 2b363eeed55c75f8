"""The step times of `disturbed_engine` compiled: those of `nonlinear_law`, stretched where others slow the
engine down.

The stretching itself is here once; Python calls the same compiled functions, so both have the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from experiments.twin.step_time import Law
from tests.experiments.twin import nonlinear_law

Floats = npt.NDArray[np.float64]
State = tuple[Floats, np.random.Generator, Floats, Floats, Floats]
"""That of `nonlinear_law`; then where each piece begins, how many times slower the engine is in it, and the
undisturbed seconds of work that fit before it."""
Function = TypeVar("Function", bound=Callable[..., object])


def law(values: Floats, rng: np.random.Generator, table: tuple[Floats, Floats, Floats], *, walk: bool) -> Law:
    """The law with these values under this table; with `walk` steps are taken one by one."""
    state = (values, rng, *table)
    if walk:
        return Law(_duration_s, _one_by_one_s, _one_by_one, state)  # type: ignore[arg-type]  # its own state
    return Law(_duration_s, _decode_run_s, _steps_to_reach, state)  # type: ignore[arg-type]  # its own state


def table_of(pieces: Floats) -> tuple[Floats, Floats, Floats]:
    """The last three of a state, of pieces (n, 2): begins at, times slower; the first begins at 0."""
    begins_s, slower = pieces[:, 0].copy(), pieces[:, 1].copy()
    done_s = np.concatenate([[0.0], np.cumsum(np.diff(begins_s) / slower[:-1])])
    return begins_s, slower, done_s


def _jit(function: Function) -> Function:
    return cast(Function, njit(error_model="numpy")(function))


@_jit
def worked_s(begins_s: Floats, slower: Floats, done_s: Floats, at_s: float) -> float:
    """Undisturbed seconds of work that fit between 0 and `at_s`."""
    k = 0
    while k + 1 < len(begins_s) and begins_s[k + 1] <= at_s:
        k += 1
    work_s: float = done_s[k] + (at_s - begins_s[k]) / slower[k]
    return work_s


@_jit
def stretched_s(begins_s: Floats, slower: Floats, done_s: Floats, begin_s: float, work_s: float) -> float:
    """How long `work_s` seconds of work take that begin then."""
    k = 0
    while k + 1 < len(begins_s) and begins_s[k + 1] <= begin_s:
        k += 1
    at_s, left_s = begin_s, work_s
    while k + 1 < len(begins_s) and left_s * slower[k] > begins_s[k + 1] - at_s:
        left_s -= (begins_s[k + 1] - at_s) / slower[k]
        k += 1
        at_s = begins_s[k]
    length_s: float = at_s - begin_s + left_s * slower[k]
    return length_s


@_jit
def _duration_s(state: State, begin_s: float, decode: int, tokens: int, kv_tokens: int) -> float:
    values, rng, begins_s, slower, done_s = state
    work_s = nonlinear_law.duration_s((values, rng), begin_s, decode, tokens, kv_tokens)
    length_s: float = stretched_s(begins_s, slower, done_s, begin_s, work_s)
    return length_s


@_jit
def _decode_run_s(state: State, begin_s: float, decode: int, kv_tokens: int, steps: int) -> float:
    values, rng, begins_s, slower, done_s = state
    work_s = nonlinear_law.decode_run_s((values, rng), begin_s, decode, kv_tokens, steps)
    length_s: float = stretched_s(begins_s, slower, done_s, begin_s, work_s)
    return length_s


@_jit
def _steps_to_reach(state: State, begin_s: float, decode: int, kv_tokens: int, span_s: float) -> int:
    values, rng, begins_s, slower, done_s = state
    if span_s <= 0:
        return 1
    until_s = worked_s(begins_s, slower, done_s, begin_s + span_s)
    work_s = until_s - worked_s(begins_s, slower, done_s, begin_s)
    steps: int = nonlinear_law.steps_to_reach((values, rng), begin_s, decode, kv_tokens, work_s)
    return steps


@_jit
def _one_by_one_s(state: State, begin_s: float, decode: int, kv_tokens: int, steps: int) -> float:
    if steps > 1:
        return math.inf
    return _duration_s(state, begin_s, decode, decode, kv_tokens)


@_jit
def _one_by_one(_state: State, _begin_s: float, _decode: int, _kv_tokens: int, _span_s: float) -> int:
    return 1
