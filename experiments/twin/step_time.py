"""How long one step of a continuous-batching engine takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Law(NamedTuple):
    """A law of step times for the compiled core: the methods of `StepTime` of these names, each as a function
    that Numba has compiled. It gets `state` first, whatever Numba takes for an argument, then when the step
    begins, in seconds.
    """

    duration_s: Callable[[object, float, int, int, int], float]
    decode_run_s: Callable[[object, float, int, int, int], float]
    steps_to_reach: Callable[[object, float, int, int, float], int]
    state: object


@dataclass(frozen=True, slots=True)
class StepTime:
    """The duration of one engine step, in seconds:

        t = a + b·decode + c·max(tokens − T0, 0) + d·KV

    with `decode` the sequences that decode in the step, `tokens` all tokens computed in it (decoding and
    prompt), and `KV` the context tokens they read. Below T0 tokens the step is bound by reading the
    weights, which is `a`.

    Attributes:
        base_s: a, seconds.
        per_decode_s: b, seconds per decoding sequence.
        per_token_s: c, seconds per token above the knee.
        knee_tokens: T0, tokens.
        per_kv_token_s: d, seconds per context token.

    Source: the hinge form of NVIDIA's online forward-pass model, with the constants of a roofline.
    """

    base_s: float
    per_decode_s: float = 0.0
    per_token_s: float = 0.0
    knee_tokens: float = 0.0
    per_kv_token_s: float = 0.0

    def at(self, begin_s: float) -> StepTime:
        """The law of steps that begin then: the same, unless an engine's speed changes in time."""
        return self

    def compiled(self) -> Law | None:
        """A law of somebody's own, with the same bits, for the compiled core, which knows `StepTime` itself;
        None: the reference plays it.
        """
        return None

    def duration_s(self, decode: int, tokens: int, kv_tokens: int) -> float:
        """Seconds of one step."""
        over = tokens - self.knee_tokens
        time_s = self.base_s + self.per_decode_s * decode + self.per_kv_token_s * kv_tokens
        return time_s + self.per_token_s * over if over > 0 else time_s

    def decode_run_s(self, decode: int, kv_tokens: int, steps: int) -> float:
        """Seconds of `steps` steps in which the same `decode` sequences decode and nothing else happens.

        Each step reads `decode` context tokens more than the one before; `kv_tokens` belongs to the first.
        """
        first_s = self.duration_s(decode, decode, kv_tokens)
        growth_s = self.per_kv_token_s * decode
        return steps * first_s + growth_s * (steps * (steps - 1) // 2)

    def steps_to_reach(self, decode: int, kv_tokens: int, span_s: float) -> float:
        """The least number of such steps, at least 1, that take `span_s` seconds or more; inf for an
        endless span.
        """
        if span_s <= 0:
            return 1
        if span_s == math.inf:
            return math.inf
        first_s = self.duration_s(decode, decode, kv_tokens)
        half = self.per_kv_token_s * decode / 2
        if half <= 0:
            steps = math.ceil(span_s / first_s)
        else:  # half·k² + (first − half)·k ≥ span
            linear = first_s - half
            steps = math.ceil((math.sqrt(linear * linear + 4 * half * span_s) - linear) / (2 * half))
        if steps > 1 and self.decode_run_s(decode, kv_tokens, steps - 1) >= span_s:  # rounded up an exact hit
            return steps - 1
        return steps if self.decode_run_s(decode, kv_tokens, steps) >= span_s else steps + 1
