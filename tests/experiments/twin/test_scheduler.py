"""The scheduler against a plain one that walks every sequence in every step, and against cases worked out
by hand.
"""

from __future__ import annotations

import random

import pytest

from experiments.twin.scheduler import EngineLimits, Scheduler, Sequence


class PlainScheduler:
    """The same rules written the slow way: lists of [prompt, output, computed, generated, key, decodes],
    walked.
    """

    def __init__(self, limits: EngineLimits) -> None:
        self.limits = limits
        self.waiting: list[list[int]] = []
        self.running: list[list[int]] = []
        self.preemptions = 0

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.limits.block_size)

    def step(self) -> tuple[int, int, list[int], list[int]] | None:
        """Decoding count, prompt tokens, keys that got a first token, keys that ended; None when idle."""
        budget, work, preempted = self.limits.max_num_batched_tokens, [], False
        held = {id(r): self.blocks(r[2]) for r in self.running}
        index = 0
        while index < len(self.running):
            request = self.running[index]
            new = min(request[0] + request[3] - request[2], budget)
            need = self.blocks(request[2] + new)
            while sum(held.values()) - held[id(request)] + need > self.limits.num_gpu_blocks:
                victim = self.running.pop()
                held.pop(id(victim))
                victim[2] = victim[5] = 0
                self.waiting.insert(0, victim)
                self.preemptions += 1
                preempted = True
                if victim is request:
                    break
            if request not in self.running:
                break
            held[id(request)] = need
            work.append((request, new))
            budget -= new
            index += 1
        while not preempted and budget > 0 and self.waiting and len(self.running) < self.limits.max_num_seqs:
            request = self.waiting[0]
            target = request[0] + request[3]
            if sum(held.values()) + self.blocks(target) > self.limits.num_gpu_blocks:
                break
            self.running.append(self.waiting.pop(0))
            new = min(target, budget)
            held[id(request)] = self.blocks(new)
            work.append((request, new))
            budget -= new
        if not work:
            return None
        decode = prefill = 0
        first, ended = [], []
        for request, new in work:
            decoding = request[5]
            decode += decoding
            prefill += 0 if decoding else new
            request[2] += new
            if request[2] == request[0] + request[3]:
                request[3] += 1
                request[5] = 1
                if not decoding:
                    first.append(request[4])
                if request[3] == request[1]:
                    ended.append(request[4])
                    self.running.remove(request)
        return decode, prefill, first, ended


@pytest.mark.parametrize("seed", range(30))
def test_it_does_what_walking_every_sequence_does(seed: int) -> None:
    """Step by step the same batches, first tokens, ends and preemptions, with scarce blocks and budgets."""
    rng = random.Random(seed)
    limits = EngineLimits(
        max_num_seqs=rng.choice([1, 3, 8]),
        max_num_batched_tokens=rng.choice([8, 24, 300]),
        num_gpu_blocks=rng.choice([12, 20, 60]),
        block_size=rng.choice([4, 16]),
        max_model_len=48,
    )
    fast, plain = Scheduler(limits), PlainScheduler(limits)
    key = 0
    for _ in range(400):
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            prompt, output = rng.randint(1, 24), rng.randint(1, 20)
            fast.add(Sequence(prompt, output, key))
            plain.waiting.append([prompt, output, 0, 0, key, 0])
            key += 1
        step, expected = fast.begin(), plain.step()
        if expected is None:
            assert step is None
            continue
        assert step is not None
        ended = fast.end()
        got = (
            step.decode,
            step.prefill_tokens,
            [s.owner for s in step.first_tokens],
            {s.owner for s in ended},
        )
        assert got == (*expected[:3], set(expected[3]))
        assert fast.preemptions == plain.preemptions
        assert fast.waiting == len(plain.waiting)
        assert fast.running == len(plain.running)
        held = sum(plain.blocks(request[2]) for request in plain.running)
        assert fast.kv_use_ratio == pytest.approx(held / limits.num_gpu_blocks)
    assert key > 100


@pytest.mark.parametrize("seed", range(20))
def test_many_steps_at_once_end_where_single_steps_end(seed: int) -> None:
    """Skipping ahead changes no end and no block count."""
    rng = random.Random(seed)
    limits = EngineLimits(
        max_num_seqs=6, max_num_batched_tokens=64, num_gpu_blocks=24, block_size=4, max_model_len=64
    )
    walking, skipping = Scheduler(limits), Scheduler(limits)
    for key in range(40):
        prompt, output = rng.randint(1, 20), rng.randint(1, 40)
        walking.add(Sequence(prompt, output, key))
        skipping.add(Sequence(prompt, output, key))

    def ends(scheduler: Scheduler, skip: bool) -> list[tuple[int, object, float]]:
        clock, seen = 0, []
        while (step := scheduler.begin()) is not None:
            steps = scheduler.steps_ahead() if skip and not step.prefill_tokens else 1
            ended = scheduler.end(steps)
            clock += steps
            seen += [(clock, sequence.owner, scheduler.kv_use_ratio) for sequence in ended]
        return sorted(seen)

    assert ends(skipping, True) == ends(walking, False)
    assert walking.preemptions == skipping.preemptions


def test_a_long_prompt_is_computed_in_parts_beside_the_decoding() -> None:
    """Budget 10: a decoding sequence takes 1, the new prompt of 25 takes 9, 9 and 7 tokens in three steps."""
    scheduler = Scheduler(EngineLimits(max_num_seqs=4, max_num_batched_tokens=10, block_size=16))
    scheduler.add(Sequence(5, 100))
    assert scheduler.begin() is not None
    scheduler.end()
    scheduler.add(Sequence(25, 2))
    seen = []
    for _ in range(4):
        step = scheduler.begin()
        assert step is not None
        seen.append((step.decode, step.prefill_tokens, len(step.first_tokens)))
        scheduler.end()
    assert seen == [(1, 9, 0), (1, 9, 0), (1, 7, 1), (2, 0, 0)]


@pytest.mark.parametrize("after_steps", [0, 1, 5])
def test_an_aborted_sequence_gives_back_all_it_held(after_steps: int) -> None:
    """Waiting, with its prompt in part, or decoding: afterwards the engine is empty."""
    scheduler = Scheduler(EngineLimits(max_num_seqs=4, max_num_batched_tokens=10, block_size=4))
    sequence = Sequence(25, 30)
    scheduler.add(sequence)
    for _ in range(after_steps):
        scheduler.begin()
        scheduler.end()
    scheduler.abort(sequence)
    assert (scheduler.running, scheduler.waiting, scheduler.kv_use_ratio) == (0, 0, 0)
    assert scheduler.begin() is None
    scheduler.abort(sequence)


def test_what_can_never_fit_is_refused() -> None:
    """A request longer than the context or than all blocks raises instead of waiting for ever."""
    with pytest.raises(ValueError, match=r"50 \+ 60 tokens never fit"):
        Scheduler(EngineLimits(max_model_len=100)).add(Sequence(50, 60))


@pytest.mark.parametrize("budget", [16, 50, 1000])
def test_pairs_of_a_prompt_are_half_its_square(budget: int) -> None:
    """However the prompt is cut into parts."""
    engine = Scheduler(EngineLimits(max_num_seqs=4, max_num_batched_tokens=budget))
    engine.add(Sequence(200, 1))
    pairs = 0
    while (step := engine.begin()) is not None:
        pairs += step.pairs
        engine.end()
    assert pairs == pytest.approx(200 * 200 / 2, abs=20)
