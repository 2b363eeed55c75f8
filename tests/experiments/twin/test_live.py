"""The engine in real time against the same engine in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.twin.capacity import OPEN
from experiments.twin.live import LiveEngine, Stream
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import simulate

PROFILE = TINY_CPU.model_copy(
    update={
        "ingest_s": 0.030,
        "egress_s": 0.0,
        "arrival_work_s": 0.012,
        "end_work_s": 0.007,
        "per_pair_s": 1e-6,
        "max_num_seqs": 3,
        "num_gpu_blocks": 8,
    }
)


@dataclass(frozen=True)
class Planned:
    """An arrival."""

    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float = 0.0
    after: tuple[int, ...] = ()


async def live(seed: int, requests: int = 25) -> list[Stream]:
    """Requests at random moments on a live engine; returns their streams when all have ended."""
    rng = random.Random(seed)
    engine = LiveEngine(PROFILE, lambda _report: None)
    running = asyncio.create_task(engine.run())
    streams = []
    for _ in range(requests):
        streams.append(engine.submit(rng.randint(5, 200), rng.randint(1, 12)))
        await asyncio.sleep(rng.choice([0.0, 0.01, 0.05, 0.2]))
    for stream in streams:
        while await stream.take():
            pass
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return streams


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_booked_is_what_virtual_time_says(seed: int) -> None:
    """From the same arrivals both give the same first and last tokens, to rounding, however busy the
    machine is:
    batches, KV blocks, waiting, the delay before the engine and the API server's work included."""
    streams = asyncio.run(live(seed))
    begin_s = streams[0].arrived_s
    planned = [Planned(s.arrived_s - begin_s, s.prompt_tokens, s.sequences[0].output_tokens) for s in streams]
    virtual = simulate(planned, PROFILE, OPEN)
    first_s = [(s.first_s or 0.0) - begin_s for s in streams]
    ended_s = [(s.ended_s or 0.0) - begin_s for s in streams]
    np.testing.assert_allclose(first_s, virtual.first_s, atol=1e-6)
    np.testing.assert_allclose(ended_s, virtual.last_s, atol=1e-6)
