"""How fast the twin is on one core: its compiled core beside its Python, in the same run.

    python -m benchmarks.twin_speed            prints CPU seconds, not elapsed ones, and the peak memory

60 cells × 20 traces × 240 s by both codes, load by load in turn, with the same result (goal: 20 times
faster); what the first use of the core costs; and a 1,000-cell matrix of single traces (goals: 3 s, 500 MB).
The engine is GPU-like (5 ms a step, 45 µs a prompt token above 128), the load 600 prompt and 200 output
tokens at 0.5 to 1.2 of its capacity.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple

from experiments.twin import compiled
from experiments.twin.capacity import predicted_capacity
from experiments.twin.predicted import Expected, Predictor
from experiments.twin.profile import Profile
from experiments.twin.simulate import Core, Player
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
LOADS = (0.5, 0.7, 0.95, 1.2)
ACTIVES, QUEUES = (8, 16, 32, 64, 128), (64, 16, 0)
MANY_LOADS = (0.5, 0.7, 0.85, 0.95, 1.2)
MANY_ACTIVES = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
MANY_QUEUES = (2048, 1024, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 4, 2, 1, 0)
TIMES, MANY_S, PEAK_MB = 20, 3.0, 500


def row(
    load: float, actives: Sequence[int], queues: Sequence[int], traces: int, core: Core
) -> tuple[float, list[Expected]]:
    """CPU seconds to predict the cells of one load, plans included, and what was predicted."""
    rate_per_s = load * predicted_capacity(ENGINE, [LENGTHS])
    begin_s = time.process_time()
    plans = [plan.make("sustained", rate_per_s, 0, 240, seed, Mix.fixed(*LENGTHS)) for seed in range(traces)]
    predictor = Predictor(plans, [ENGINE], LIMIT, Player(core))
    found: list[Expected] = []
    for active, queue in itertools.product(actives, queues):
        found += predictor.cell(Limits(max_active=active, queue_max=queue, queue_timeout_s=2)).values()
    return time.process_time() - begin_s, found


def first_use_s() -> list[float]:
    """CPU seconds of a new process to get the core ready: with nothing on disk, and again."""
    code = (
        "import time; from experiments.twin import compiled; begin = time.process_time(); "
        "assert compiled.obstacle() is None; print(time.process_time() - begin)"
    )
    with tempfile.TemporaryDirectory() as folder:
        command, env = [sys.executable, "-c", code], {**os.environ, "NUMBA_CACHE_DIR": folder}
        return [
            float(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
            for _ in range(2)
        ]


def main() -> int:
    """Run all and print a line each; 1 when a goal is missed, 2 where there is no core to measure."""
    if (why := compiled.obstacle()) is not None:
        print(f"no compiled core on this machine: {why}", file=sys.stderr)
        return 2
    spent_s = dict.fromkeys((Core.REFERENCE, Core.COMPILED), 0.0)
    for load in LOADS:
        results = []
        for core in spent_s:
            took_s, found = row(load, ACTIVES, QUEUES, 20, core)
            spent_s[core] += took_s
            results.append(repr([astuple(one) for one in found]))  # nan is equal to nan in text
        assert results[0] == results[1], f"the codes differ at load {load}"
    python_s, core_s = spent_s.values()
    times = python_s / core_s
    print(
        f"60 cells x 20 traces x 240 s: Python {python_s:.1f} s, core {core_s:.2f} s, {times:.0f} times"
        f" faster (goal {TIMES}), the same numbers"
    )
    print("to get the core ready: first {:.1f} s, later {:.1f} s".format(*first_use_s()))
    many_s = sum(row(load, MANY_ACTIVES, MANY_QUEUES, 1, Core.COMPILED)[0] for load in MANY_LOADS)
    print(f"1,000 cells x 1 trace x 240 s: core {many_s:.2f} s (goal {MANY_S})")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak_mb:.0f} MB (goal {PEAK_MB})")
    return 0 if times >= TIMES and many_s < MANY_S and peak_mb < PEAK_MB else 1


if __name__ == "__main__":
    sys.exit(main())
