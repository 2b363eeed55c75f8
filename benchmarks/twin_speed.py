"""How fast the twin is: 60 cells × 20 traces × 240 s, and a 1,000-cell matrix of single traces, on one core.

    python -m benchmarks.twin_speed            prints CPU seconds, not elapsed ones, and the peak memory

Goals: below 60 s, below 30 s, below 500 MB. The engine is GPU-like (5 ms a step, 45 µs a prompt token above
128), the load 600 prompt and 200 output tokens at 0.5 to 1.2 of its capacity.
"""

from __future__ import annotations

import itertools
import resource
import sys
import time

from experiments.calibration.held_out import predicted_capacity
from experiments.twin.predicted import Predictor
from experiments.twin.profile import Profile
from gateway.limits import Limits
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

ENGINE = Profile(
    name="gpu-like",
    source="chosen: 5 ms of weights, 45 µs a token above 128",
    base_s=0.005,
    per_decode_s=4e-5,
    per_token_s=4.5e-5,
    knee_tokens=128,
    per_kv_token_s=2e-8,
    ingest_s=0.002,
    egress_s=0.0005,
    max_num_seqs=256,
    num_gpu_blocks=4000,
    block_size=16,
    max_model_len=16_000,
)
LENGTHS = (600, 200)
LIMIT = SLO.parse("ttft<=1s,tpot<=60ms")


def matrix(actives: tuple[int, ...], queues: tuple[int, ...], loads: tuple[float, ...], traces: int) -> float:
    """CPU seconds to predict every cell, plans included."""
    begin_s = time.process_time()
    capacity_per_s = predicted_capacity(ENGINE, [LENGTHS])
    for load in loads:
        plans = [
            plan.make("sustained", load * capacity_per_s, 0, 240, seed, Mix.fixed(*LENGTHS))
            for seed in range(traces)
        ]
        predictor = Predictor(plans, [ENGINE], LIMIT)
        for active, queue in itertools.product(actives, sorted(queues, reverse=True)):
            predictor.cell(Limits(max_active=active, queue_max=queue, queue_timeout_s=2))
    return time.process_time() - begin_s


def main() -> int:
    """Run both and print a line each; 1 when a goal is missed."""
    small_s = matrix((8, 16, 32, 64, 128), (0, 16, 64), (0.5, 0.7, 0.95, 1.2), 20)
    print(f"60 cells x 20 traces x 240 s: {small_s:.1f} s of CPU (goal 60)")
    queues = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048)
    large_s = matrix((4, 8, 12, 16, 24, 32, 48, 64, 96, 128), queues, (0.5, 0.7, 0.85, 0.95, 1.2), 1)
    print(f"1,000 cells x 1 trace x 240 s: {large_s:.1f} s of CPU (goal 30)")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak_mb:.0f} MB (goal 500)")
    return 0 if small_s < 60 and large_s < 30 and peak_mb < 500 else 1


if __name__ == "__main__":
    sys.exit(main())
