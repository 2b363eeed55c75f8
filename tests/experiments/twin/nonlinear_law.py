"""The step times of `nonlinear_engine` once more, compiled: the same operations in the same order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from experiments.twin.step_time import Law

Floats = npt.NDArray[np.float64]
State = tuple[Floats, np.random.Generator]
Function = TypeVar("Function", bound=Callable[..., object])

PER_TOKEN, PER_SQUARE, WEIGHTS, PER_KV_TOKEN, SHARPNESS, NOISE_SD, SPEED = range(7)
"""Places in the values of a state."""


def law(values: Floats, rng: np.random.Generator) -> Law:
    """The law with these values; its noise comes from `rng`, as it would in Python."""
    return Law(duration_s, decode_run_s, steps_to_reach, (values, rng))  # type: ignore[arg-type]  # its own state


def _jit(function: Function) -> Function:
    return cast(Function, njit(error_model="numpy")(function))


@_jit
def _padded(decode: int) -> int:
    """Sequences of the next captured graph: 1, 2, 4, 8, 16, 24 … 512."""
    if decode > 8:
        return min((decode + 7) // 8 * 8, 512)
    size = 1
    while size < decode:
        size *= 2
    return size


@_jit
def _quiet_s(values: Floats, decode: int, tokens: int, kv_tokens: float) -> float:
    prompt = tokens - decode
    batch = tokens if prompt else _padded(decode)
    compute = values[PER_TOKEN] * batch + values[PER_SQUARE] * prompt * prompt
    read = values[WEIGHTS] + values[PER_KV_TOKEN] * kv_tokens
    norm: float = (read ** values[SHARPNESS] + compute ** values[SHARPNESS]) ** (1 / values[SHARPNESS])
    return norm


@_jit
def duration_s(state: State, _begin_s: float, decode: int, tokens: int, kv_tokens: int) -> float:
    values, rng = state
    noise = math.exp(values[NOISE_SD] * rng.standard_normal())
    length_s: float = values[SPEED] * noise * _quiet_s(values, decode, tokens, float(kv_tokens))
    return length_s


@_jit
def decode_run_s(state: State, begin_s: float, decode: int, kv_tokens: int, steps: int) -> float:
    values, rng = state
    if steps == 1:
        return duration_s(state, begin_s, decode, decode, kv_tokens)
    middle = _quiet_s(values, decode, decode, kv_tokens + decode * (steps - 1) / 2)
    noise = math.exp(values[NOISE_SD] / math.sqrt(steps) * rng.standard_normal())
    length_s: float = values[SPEED] * noise * steps * middle
    return length_s


@_jit
def steps_to_reach(state: State, _begin_s: float, decode: int, kv_tokens: int, span_s: float) -> int:
    if span_s <= 0:
        return 1
    values, _ = state
    one_s = values[SPEED] * _quiet_s(values, decode, decode, float(kv_tokens))
    steps: int = math.ceil(span_s / one_s)
    return max(1, steps)
