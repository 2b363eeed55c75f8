"""Engines, loads and objectives to try limits on, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.following.player import Planned
from experiments.twin.profile import Profile
from experiments.twin.simulate import Core, simulate
from gateway.limits import Limits
from tests.experiments.twin.nonlinear_engine import Physics, engine

CHANGE_S, END_S, AFTER_S = 300.0, 660.0, 90.0
TIMES = 4


@dataclass(frozen=True)
class Case:
    """An engine with its load: mean lengths in tokens, four times as long from `CHANGE_S` on."""

    name: str
    profile: Profile
    prompt: float
    output: float
    cv: float
    rate_per_s: float
    ttft_s: float
    tpot_s: float
    patience_s: float

    def arrivals(self, seed: int) -> list[Planned]:
        rng = np.random.default_rng([seed, 77])
        due_s = np.cumsum(rng.exponential(1 / self.rate_per_s, int(2 * self.rate_per_s * END_S) + 100))
        due_s = due_s[due_s < END_S + AFTER_S]
        before = int(np.searchsorted(due_s, CHANGE_S))
        due = due_s.tolist()
        return self.lengths(rng, due[:before], 1) + self.lengths(rng, due[before:], TIMES)

    def lengths(self, rng: np.random.Generator, due_s: list[float], times: int) -> list[Planned]:
        """Requests due then."""
        factors = rng.lognormal(-(self.cv**2) / 2, self.cv, (2, len(due_s)))
        prompts = np.clip(times * self.prompt * factors[0], 8, 30_000).astype(int).tolist()
        outputs = np.clip(times * self.output * factors[1], 4, 20_000).astype(int).tolist()
        return [Planned(*one) for one in zip(due_s, prompts, outputs, strict=True)]


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw(seed: int) -> Case:
    """The case of this seed. Every third engine has a law of step times that is no line."""
    rng = np.random.default_rng([seed, 5])
    curved = seed % 3 == 2
    base, per_decode = _log(rng, 0.004, 0.03), _log(rng, 2e-5, 6e-4)
    per_token, knee = _log(rng, 1e-5, 2e-4), float(rng.choice([0, 64, 128, 256, 512]))
    per_kv = _log(rng, 1e-8, 4e-7)
    prompt, output, cv = _log(rng, 60, 1000), _log(rng, 60, 350), float(rng.uniform(0.2, 0.8))
    blocks = int(_log(rng, 4_000, 30_000))
    bounds = Profile(
        name=f"drawn-{seed}",
        source="drawn",
        base_s=base,
        per_decode_s=per_decode,
        per_token_s=per_token,
        knee_tokens=knee,
        per_kv_token_s=per_kv,
        per_pair_s=_log(rng, 1e-10, 1e-8),
        ingest_s=0.003,
        egress_s=0.0005,
        max_num_seqs=int(rng.choice([16, 32, 64, 128, 256])),
        max_num_batched_tokens=int(rng.choice([1024, 2048, 8192])),
        num_gpu_blocks=blocks,
        block_size=16,
        max_model_len=60_000,
    )
    profile = bounds
    if curved:
        physics = Physics(
            weights_s=base, per_token_s=per_token, per_kv_token_s=per_kv,
            per_square_s=_log(rng, 1e-10, 4e-9), sharpness=float(rng.uniform(2, 8)), noise_sd=0.05,
        )  # fmt: skip
        profile = engine(physics, bounds, seed=seed)
    target = round(_log(rng, 4, 60))
    loose = rng.random() < 0.25
    case = Case(bounds.name, profile, prompt, output, cv, 0.0, 0.0, 0.0, 0.0)
    tpot_s, _, per_s = _closed(case, min(target, bounds.max_num_seqs), 1)
    _, first_s, _ = _closed(case, min(target, bounds.max_num_seqs), TIMES)
    if loose:
        tpot_s *= 2.5
        _, _, per_s = _closed(case, 128, 1)
    idle_s, _, _ = _closed(case, 1, 1)
    if tpot_s < 1.15 * idle_s:  # nobody asks for what the engine just reaches when idle
        return draw(seed + 1000)
    ttft_s = 2 * max(0.5, 1.3 * first_s)
    return replace(case, rate_per_s=1.2 * per_s, ttft_s=ttft_s, tpot_s=tpot_s, patience_s=ttft_s / 2)


def _closed(case: Case, users: int, times: int) -> tuple[float, float, float]:
    """TPOT p92 and TTFT p95 in seconds, and answers per second, where so many users ask without a pause."""
    count = 30 * users + 150
    planned = case.lengths(np.random.default_rng(3), [0.0] * count, times)
    limits = Limits(max_active=1000, request_timeout_s=1e6)
    done = simulate(planned, case.profile, limits, users=users, core=Core.COMPILED)
    output = np.array([one.output_tokens for one in planned], float)
    half = slice(count // 4, count - users)
    tpot_s = (done.last_s - done.first_s)[half] / np.maximum(output[half] - 1, 1)
    begin_s, end_s = np.sort(done.last_s)[[count // 4, count - users]]
    first_s = (done.first_s - done.due_s)[half]
    return (
        float(np.quantile(tpot_s, 0.92)),
        float(np.quantile(first_s, 0.95)),
        (count - users - count // 4) / (end_s - begin_s),
    )
