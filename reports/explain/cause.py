"""The causes that are known, and what one looks like that was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why it was slow; the value is its name in JSON."""

    TENANT_FLOOD = "tenant_flood"
    LONG_PROMPTS = "long_prompts"
    RETRY_STORM = "retry_storm"
    FULL_QUEUE = "full_queue"
    PREEMPTION = "kv_preemption"
    THROTTLED = "throttled_clock"
    RESTART = "engine_restart"
    LIMITS = "limits_changed"
    SLOW_READERS = "slow_readers"
    LONGER_ANSWERS = "longer_answers"
    CACHE_LOST = "cache_lost"
    GATEWAY_STARVED = "gateway_starved"
    GPU_SHARED = "others_on_gpu"
    CANCELLING = "cancelling_client"
    SLOW_ENGINE = "slow_engine"
    BURST = "burst"

    @property
    def words(self) -> str:
        """A short sentence without its end."""
        return _WORDS[self][0]

    @property
    def advice(self) -> str:
        """What to look at or do next."""
        return _WORDS[self][1]


_WORDS = {
    Cause.TENANT_FLOOD: (
        "one tenant asked for far more than usual",
        "bound it: slots_max or tokens_per_min of its lane (docs/backpressure.md)",
    ),
    Cause.LONG_PROMPTS: (
        "prompts became much longer",
        "give long prompts a lane of their own, or bound tokens (SLOT_COST=tokens)",
    ),
    Cause.RETRY_STORM: (
        "what failed was sent again at once",
        "clients should honour Retry-After and back off; look for what failed first",
    ),
    Cause.FULL_QUEUE: (
        "more was asked for, by everybody, than slots and queue take",
        "this is capacity: measure a higher MAX_ACTIVE (headroom tune), shed earlier, or add a GPU",
    ),
    Cause.PREEMPTION: (
        "the KV cache was full and running requests were put back",
        "lower MAX_ACTIVE, or bound what runs by tokens (SLOT_COST=tokens)",
    ),
    Cause.THROTTLED: (
        "the GPU held its clocks down",
        "nvidia-smi -q -d PERFORMANCE names the reason: heat, power, hardware",
    ),
    Cause.RESTART: (
        "the engine was restarted or away",
        "the engine's log says why; compare its version and flags before and after",
    ),
    Cause.LIMITS: (
        "the gateway's limits were changed",
        "GET /admin/limits tells what is in force; set back what was changed",
    ),
    Cause.SLOW_READERS: (
        "some clients read their answers so slowly that they held their slots",
        "bound their lane's slots; STALL_TIMEOUT_S ends who stops reading",
    ),
    Cause.LONGER_ANSWERS: (
        "answers became longer, so each held its slot for longer",
        "bound max_tokens, or ask what changed in the prompts or the model",
    ),
    Cause.CACHE_LOST: (
        "prompts were no longer found in the prefix cache",
        "did prompts begin to differ at their head (a date, an id), or was the cache too small?",
    ),
    Cause.GATEWAY_STARVED: (
        "the gateway did not get the CPU that it needed",
        "look for its neighbours on the machine; give it a core of its own",
    ),
    Cause.GPU_SHARED: (
        "something else used the GPU",
        "nvidia-smi lists the processes",
    ),
    Cause.CANCELLING: (
        "a client left its requests early and asked again",
        "look at that client's timeout; what it left had taken slots and prefill",
    ),
    Cause.SLOW_ENGINE: (
        "the engine took longer for the same work, and nothing that can be seen says why",
        "compare engine version, flags and driver with before (headroom compare); look at the host's CPU",
    ),
    Cause.BURST: (
        "very many requests came within a moment",
        "the queue took it or refused it; QUEUE_MAX and QUEUE_TIMEOUT_S say who waits how long",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with what speaks for it.

    weight: how much of the trouble it can explain, as the logarithm of the extra work or time (0.7: twice).
    certainty: 0 to 1, how sure it is that it happened at all. who: lane or session, "" where nobody is meant.
    """

    cause: Cause
    weight: float
    certainty: float
    evidence: Sequence[str]
    who: str = ""

    @property
    def score(self) -> float:
        """What causes are ranked by."""
        return self.weight * self.certainty
