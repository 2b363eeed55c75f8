"""What a scheduler of steps works on: sequences, the bounds of a batch, and a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What bounds a batch: sequences, tokens per step, and KV blocks of `block_size` tokens."""

    max_num_seqs: int = 16
    max_num_batched_tokens: int = 2048
    num_gpu_blocks: int = 1024
    block_size: int = 128
    max_model_len: int = 4096


WAITING, PREFILLING, DECODING, ENDED = range(4)


class Sequence:
    """One generation: `prompt_tokens` in, `output_tokens` out (≥ 1); `owner` is the driver's, to find it
    again.

    The other attributes belong to the scheduler. `context` (tokens in the KV cache) and `to_go` (tokens to
    generate) are as of the decode clock `joined` while it decodes.
    """

    __slots__ = ("blocks", "context", "joined", "output_tokens", "owner", "prompt_tokens", "state", "to_go")

    def __init__(self, prompt_tokens: int, output_tokens: int, owner: Any = None) -> None:
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.owner = owner
        self.state = WAITING
        self.context = 0
        self.to_go = output_tokens
        self.joined = 0
        self.blocks = 0

    @property
    def target(self) -> int:
        """Tokens to compute before the next one can be generated: the prompt, and what a preemption threw
        away.
        """
        return self.prompt_tokens + self.output_tokens - self.to_go


class Step(NamedTuple):
    """What one step computes (a tuple, because millions are made).

    Attributes:
        decode: sequences that decode one token each.
        prefill_tokens: prompt tokens.
        kv_tokens: context tokens read by all of them.
        first_tokens: sequences whose prompt is complete at the end of the step; each generates one token.
        pairs: of a prompt token and one before it, which its attention compares.
    """

    decode: int
    prefill_tokens: int
    kv_tokens: int
    first_tokens: tuple[Sequence, ...]
    pairs: int = 0

    @property
    def tokens(self) -> int:
        """All tokens computed in the step."""
        return self.decode + self.prefill_tokens
