"""Which sequences an engine works on in each step: vLLM's V1 scheduler as a state machine without I/O or
clock.

What it keeps of vLLM (0.32, default options): running sequences come first, each decoding one token; the
rest of a token budget goes to prompts, in order of arrival, the last of them in part (chunked prefill); at
most `max_num_seqs` run; a waiting sequence is admitted only when blocks for its whole prompt are free; when
a running one finds no free block, the last admitted is preempted: it loses its blocks, goes to the head of
the line and is computed again. Prefix caching, priorities, several adapters and speculative decoding are
left out.

So at most one sequence, the last admitted, has its prompt computed in part, and all others decode in every
step. That makes a run of steps without any other event a matter of arithmetic: `end(steps)` costs the same
for 1 and for 1,000.
"""

from __future__ import annotations

import heapq
from collections import deque

from experiments.twin.sequence import (
    DECODING,
    ENDED,
    PREFILLING,
    WAITING,
    EngineLimits,
    Sequence,
    Step,
)

__all__ = ["DECODING", "ENDED", "PREFILLING", "WAITING", "EngineLimits", "Scheduler", "Sequence", "Step"]


class Scheduler:
    """Call `begin`, let the step's time pass, call `end`; `add` at any time, `abort` only between steps."""

    def __init__(self, limits: EngineLimits) -> None:
        if limits.max_num_batched_tokens < limits.max_num_seqs:
            raise ValueError("max_num_batched_tokens must be at least max_num_seqs")
        self.limits = limits
        self.preemptions = 0
        self._waiting: deque[Sequence] = deque()
        self._decoding: dict[Sequence, None] = {}  # in order of admission
        self._ends: list[tuple[int, int, Sequence]] = []  # heap of (clock of the last token, rank, sequence)
        self._prefilling: Sequence | None = None  # the one whose prompt is computed in part
        self._completing: list[Sequence] = []  # their prompts are complete at the end of this step
        self._clock = 0  # decode steps so far
        self._joined = 0
        self._context = 0  # context tokens of all decoding sequences
        self._free = limits.num_gpu_blocks
        self._block_size = limits.block_size
        self._phase = [0] * limits.block_size  # decoding sequences by (context - clock) mod block_size

    def __repr__(self) -> str:
        return f"<Scheduler [running {self.running} | waiting {self.waiting} | KV {self.kv_use_ratio:.0%}]>"

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._decoding) + (self._prefilling is not None) + len(self._completing)

    @property
    def waiting(self) -> int:
        """Sequences not yet admitted, or preempted."""
        return len(self._waiting)

    @property
    def kv_use_ratio(self) -> float:
        """Part of the KV blocks that is held, 0 to 1."""
        return 1 - self._free / self.limits.num_gpu_blocks

    @property
    def decoded_context(self) -> int:
        """Tokens of context that the decoding sequences read in this step, or in the first of several."""
        return self._context + len(self._decoding)

    @property
    def decoding(self) -> tuple[Sequence, ...]:
        """The sequences that decode, in order of admission."""
        return tuple(self._decoding)

    def fits(self, sequence: Sequence) -> bool:
        """Could it ever be served, alone?"""
        total = sequence.prompt_tokens + sequence.output_tokens
        return total <= self.limits.max_model_len and self._blocks(total) <= self.limits.num_gpu_blocks

    def add(self, sequence: Sequence) -> None:
        """A request reaches the engine. Raises ValueError when it could never be served."""
        if not self.fits(sequence):
            raise ValueError(
                f"{sequence.prompt_tokens} + {sequence.output_tokens} tokens never fit into this engine"
            )
        self._waiting.append(sequence)

    def abort(self, sequence: Sequence) -> None:
        """The request is gone; a sequence that has ended is left alone."""
        if sequence.state == WAITING:
            self._waiting.remove(sequence)
        elif sequence.state == PREFILLING:
            self._prefilling = None
            self._free += sequence.blocks
        elif sequence.state == DECODING:
            self._leave(sequence)
        sequence.state = ENDED

    def begin(self) -> Step | None:
        """Decide the next step, or None when there is nothing to do."""
        needed = self._phase[-self._clock % self._block_size]
        preempted = (needed > self._free or self._prefilling is not None) and self._make_room()
        self._free -= self._phase[-self._clock % self._block_size] if preempted else needed
        decode = len(self._decoding)
        kv_tokens = self._context + decode
        budget = whole = self.limits.max_num_batched_tokens - decode
        sequence, pairs = self._prefilling, 0
        while sequence is not None or (budget > 0 and not preempted and self._can_admit()):
            if sequence is None:
                sequence = self._waiting.popleft()
            used = self._compute_prompt(sequence, budget)
            budget -= used
            kv_tokens += sequence.context
            pairs += used * (2 * sequence.context - used) // 2
            sequence = None
        if not decode and budget == whole:
            return None
        return Step(decode, whole - budget, kv_tokens, tuple(self._completing), pairs)

    def steps_ahead(self) -> int:
        """After a `begin` without prompt tokens: steps, that one included, until one ends or blocks run
        out.
        """
        while self._stale(self._ends[0]):
            heapq.heappop(self._ends)
        steps = self._ends[0][0] - self._clock
        if self._free >= (steps // self._block_size + 1) * len(self._decoding):
            return steps
        while steps > 1 and self._blocks_taken(steps) > self._free:
            steps = max(1, min(steps - 1, self._free // max(1, len(self._decoding)) * self._block_size))
        return steps

    def end(self, steps: int = 1) -> list[Sequence]:
        """The step is over, or `steps` equal ones (at most `steps_ahead`); returns the sequences that
        ended.
        """
        if steps > 1:
            self._free -= self._blocks_taken(steps)
        self._clock += steps
        self._context += steps * len(self._decoding)
        ended = []
        while self._ends and (self._ends[0][0] <= self._clock or self._stale(self._ends[0])):
            entry = heapq.heappop(self._ends)
            if not self._stale(entry):
                self._leave(entry[2])
                ended.append(entry[2])
        for sequence in self._completing:
            sequence.to_go -= 1
            if sequence.to_go:
                self._join(sequence)
            else:
                self._free += sequence.blocks
                ended.append(sequence)
        self._completing = []
        for sequence in ended:
            sequence.state = ENDED
        return ended

    def _can_admit(self) -> bool:
        """Is there room in the batch, and are there blocks for the whole prompt of the next in line?"""
        if not self._waiting or self.running >= self.limits.max_num_seqs:
            return False
        return self._blocks(self._waiting[0].target) <= self._free

    def _compute_prompt(self, sequence: Sequence, budget: int) -> int:
        """Compute the next part of a prompt, as much as the budget allows; returns its tokens."""
        used = min(sequence.target - sequence.context, budget)
        sequence.context += used
        blocks = self._blocks(sequence.context)
        self._free -= blocks - sequence.blocks
        sequence.blocks = blocks
        sequence.state = PREFILLING
        if sequence.context == sequence.target:
            self._completing.append(sequence)
            self._prefilling = None
        else:
            self._prefilling = sequence
        return used

    def _make_room(self) -> bool:
        """Preempt from the end of the batch until every sequence left finds its next block; was one
        preempted?
        """
        before = self.preemptions
        while self._decoding or self._prefilling:
            needed = self._phase[-self._clock % self._block_size]
            part = self._prefilling
            if part is not None:
                rest = min(
                    part.target - part.context, self.limits.max_num_batched_tokens - len(self._decoding)
                )
                needed += self._blocks(part.context + rest) - part.blocks
            if needed <= self._free:
                break
            self._preempt_last()
        return self.preemptions > before

    def _preempt_last(self) -> None:
        sequence = self._prefilling
        if sequence is not None:
            self._prefilling = None
            self._free += sequence.blocks
        else:
            sequence = next(reversed(self._decoding))
            self._leave(sequence)
            sequence.to_go -= self._clock - sequence.joined
        sequence.context = sequence.blocks = 0
        sequence.state = WAITING
        self._waiting.appendleft(sequence)
        self.preemptions += 1

    def _join(self, sequence: Sequence) -> None:
        """Its prompt is complete: from now on it decodes in every step."""
        sequence.state = DECODING
        sequence.joined = self._clock
        self._joined += 1
        self._decoding[sequence] = None
        heapq.heappush(self._ends, (self._clock + sequence.to_go, self._joined, sequence))
        self._context += sequence.context
        self._phase[(sequence.context - self._clock) % self._block_size] += 1

    def _leave(self, sequence: Sequence) -> None:
        """Take a decoding sequence out of the batch and free its blocks."""
        del self._decoding[sequence]
        context = sequence.context + self._clock - sequence.joined
        self._context -= context
        self._phase[(context - self._clock) % self._block_size] -= 1
        self._free += self._blocks(context)

    def _stale(self, entry: tuple[int, int, Sequence]) -> bool:
        """Does the heap entry belong to a sequence that was aborted or preempted since?"""
        clock, _, sequence = entry
        return sequence.state != DECODING or sequence.joined + sequence.to_go != clock

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._block_size)

    def _blocks_taken(self, steps: int) -> int:
        """Blocks that the decoding sequences take in the steps after the current one, up to the
        `steps`-th.
        """
        size = self._block_size
        rounds, rest = divmod(steps - 1, size)
        start = (-self._clock - rest) % size
        part = self._phase[start : start + rest]
        if start + rest > size:
            part += self._phase[: start + rest - size]
        return rounds * len(self._decoding) + sum(part)
