"""A small production on an engine whose parameters are known."""

from __future__ import annotations

import numpy as np

from experiments.spec.setting import Setting
from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from gateway.limits import Limits
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.mix import Mix
from loadtests.traffic.traffic import Traffic
from tests.experiments.learning.simulated_production import recorded

TRUE = Profile(
    name="true", source="chosen", base_s=0.010, per_decode_s=0.0003, per_token_s=0.0001, knee_tokens=16,
    per_kv_token_s=2e-8, ingest_s=0.003, egress_s=0.0005, max_num_seqs=64, num_gpu_blocks=20_000,
    block_size=16, max_model_len=8192,
)  # fmt: skip
PRESENT = Setting(Limits(max_active=8, queue_max=100, queue_timeout_s=4.0))
MIX = Mix(workload="lognormal", prompt_tokens=200, output_tokens=60, length_sigma=0.6,
          max_prompt_tokens=2000, max_output_tokens=400)  # fmt: skip
SPAN_S = 600.0


def arrivals(mean_per_s: float, depth: float = 0.8, seed: int = 1) -> list[Arrival]:
    """Poisson arrivals whose rate swings by `depth` around its mean, once over the span."""
    plan = plans.make("sustained", mean_per_s, 0.0, SPAN_S, seed, mix=MIX)
    grid_s = np.linspace(0.0, SPAN_S, 2000)
    rate = 1 + depth * np.sin(2 * np.pi * grid_s / SPAN_S)
    sums = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(grid_s))])
    due_s = np.interp([one.due_s for one in plan.arrivals], sums, grid_s)
    return [one._replace(due_s=at_s) for one, at_s in zip(plan.arrivals, due_s.tolist(), strict=True)]


def recording(mean_per_s: float = 6.0, depth: float = 0.8, setting: Setting = PRESENT) -> Traffic:
    """What the gateway kept of it."""
    asked = arrivals(mean_per_s, depth)
    return recorded(asked, simulate(asked, TRUE, setting.limits))
