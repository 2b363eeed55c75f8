"""The settings of the matrix: those that were asked for, and the start values that follow from objective
and model.

QUEUE_TIMEOUT_S = TTFT objective − a long prompt's own prefill − the time outside the steps: who waits
longer cannot be served in time. MAX_ACTIVE = the largest whose TPOT stays within the objective and whose KV
cache stays below 95 %. QUEUE_MAX = what MAX_ACTIVE slots finish in QUEUE_TIMEOUT_S. They are always among
the settings, so that a matrix that missed the right region cannot recommend the best of a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.spec.setting import Setting
from experiments.twin.capacity import OPEN, Planned
from experiments.twin.predicted import measures
from experiments.twin.profile import Profile
from experiments.twin.simulate import simulate
from gateway.limits import Limits, QueueMode
from loadtests.planning.plan import Plan
from loadtests.slo import SLO

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
KV_FULL = 0.95
_PATIENT_S = 120.0


@dataclass(frozen=True, slots=True)
class Derived:
    """The start values, and the capacity of the engine with that many slots, requests per second."""

    max_active: int
    queue_max: int
    queue_timeout_s: float
    capacity_per_s: float

    def limits(self, like: Limits) -> Limits:
        """As limits of the gateway that queue; what they do not say is as in `like`."""
        return replace(
            like,
            max_active=self.max_active,
            queue_mode=QueueMode.QUEUE,
            queue_max=self.queue_max,
            queue_timeout_s=self.queue_timeout_s,
        )


def derive(profile: Profile, slo: SLO, busy: Plan) -> Derived:
    """The start values for a workload; `busy` is a trace of it at or above capacity."""
    prompts = np.array([arrival.prompt_tokens for arrival in busy.arrivals])
    timeout_s = queue_timeout_s(profile, slo, int(np.quantile(prompts, 0.95)))
    found = [(n, *_served(profile, slo, busy, n, timeout_s)) for n in _rungs(profile, busy)]
    tpots_s = [own.tpot_s for own in slo.every if own.tpot_s is not None]
    fast = [row for row in found if all(row[2] <= tpot_s for tpot_s in tpots_s)]
    slots, rate_per_s, _ = fast[-1] if fast else found[0]
    return Derived(slots, max(1, math.ceil(rate_per_s * timeout_s)), timeout_s, rate_per_s)


def queue_timeout_s(profile: Profile, slo: SLO, prompt_tokens: int) -> float:
    """How long a request may wait and still meet its TTFT objective; two digits after the point, seconds."""
    longest_s = slo.longest_ttft_s
    if longest_s is None:
        return _PATIENT_S
    alone = simulate([Planned(0.0, prompt_tokens, 1)], profile, OPEN)
    return max(0.01, round(max(longest_s - float(alone.first_s[0]), 0.1 * longest_s), 2))


def around(
    asked: Sequence[Setting], derived: Derived | None, default: Setting, *, largest: int | None
) -> tuple[Setting, ...]:
    """The asked settings without those that no engine of `largest` sequences can tell apart, with the derived
    one (and those with half and double its MAX_ACTIVE) for each of the asked orders, costs of a slot and
    lanes, with the default; each once.
    """
    top = largest or max(setting.limits.max_active for setting in asked)
    useful = [setting for setting in asked if setting.limits.max_active <= top] or list(asked[:1])
    near = []
    kinds = {(one.limits.queue_order, one.limits.slot_cost, one.lanes): one for one in reversed(asked)}
    for one in reversed(kinds.values()):
        if derived is None:
            break
        start = derived.limits(one.limits)
        per_slot = start.queue_max / start.max_active
        slots = (start.max_active, start.max_active // 2, start.max_active * 2)
        near += [
            replace(one, limits=replace(start, max_active=n, queue_max=max(1, math.ceil(per_slot * n))))
            for n in slots
            if 1 <= n <= top
        ]
    return tuple({setting.name: setting for setting in (*useful, *near, default)}.values())


def _rungs(profile: Profile, busy: Plan) -> list[int]:
    """Slots worth asking about: up to the batch, and to what the KV cache holds of mean requests."""
    tokens = np.array([arrival.prompt_tokens + arrival.output_tokens for arrival in busy.arrivals])
    blocks = float(np.ceil(tokens / profile.block_size).mean())
    bound = min(profile.max_num_seqs, int(KV_FULL * profile.num_gpu_blocks / blocks))
    return [n for n in LADDER if n <= bound] or [1]


def _served(profile: Profile, slo: SLO, busy: Plan, slots: int, timeout_s: float) -> tuple[float, float]:
    """Requests served per second and their TPOT p95 with so many slots, under a load that keeps them busy."""
    limits = Limits(max_active=slots, queue_max=4 * slots, queue_timeout_s=timeout_s)
    begin_s, end_s = busy.phase_s("measure")
    done = simulate(busy.arrivals, profile, limits)
    found = measures(busy, done, slo)
    offered = busy.offered("measure")
    return (1 - found["rejected_ratio"]) * offered / (end_s - begin_s), found["tpot_p95_s"]
