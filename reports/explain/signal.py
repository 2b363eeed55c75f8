"""What is looked at: one number per bin of time for each signal, whoever tells it."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """How a number is written."""

    PER_S = "/s"
    SECONDS = "s"
    SHARE = "%"
    COUNT = ""
    TOKENS = "tokens"
    HERTZ = "Hz"
    BYTES = "B"


class Signal(StrEnum):
    """A signal; the value is its name in JSON. SHARE is of 0 to 1, times are in seconds, rates per second.

    Those of the first part come from the recording, and some from Prometheus where there is none; those of
    the second from Prometheus alone.
    """

    OFFERED = "offered_per_s"
    RETRIES = "retries_per_s"
    LEFT_EARLY = "left_early_per_s"
    LEFT = "left_ratio"
    REFUSED = "refused_ratio"
    TIMED_OUT = "timed_out_ratio"
    FAILED = "failed_ratio"
    QUEUE = "queue_mean_s"
    QUEUE_P95 = "queue_p95_s"
    TTFT_P95 = "ttft_p95_s"
    PREFILL = "prefill_mean_s"
    TPOT = "tpot_p50_s"
    TPOT_P95 = "tpot_p95_s"
    DECODE = "decode_mean_s"
    E2E_P95 = "e2e_p95_s"
    PROMPT = "prompt_tokens_mean"
    PROMPT_RATE = "prompt_tokens_per_s"
    OUTPUT = "output_tokens_mean"
    RUNNING = "running"
    SLOW_HOLD = "slow_answers_hold_ratio"
    SHARED_PREFIX = "shared_prefix_ratio"
    LIMITS_VERSION = "limits_version"

    ACTIVE_LIMIT = "max_active"
    QUEUE_LIMIT = "queue_max"
    QUEUE_FULL = "queue_full_ratio"
    LOOP_LAG = "gateway_loop_lag_s"
    OVERHEAD = "gateway_overhead_mean_s"
    ENGINE_WAITING = "engine_waiting"
    KV_USE = "engine_kv_use_ratio"
    PREEMPTIONS = "engine_preemptions_per_s"
    CACHE_HITS = "engine_prefix_hit_ratio"
    ENGINE_GAP = "engine_gap_mean_s"
    ENGINE_TTFT = "engine_ttft_mean_s"
    ENGINE_RESETS = "engine_counter_resets"
    ENGINE_UP = "engine_up"
    GPU_USE = "gpu_use_ratio"
    GPU_CLOCK = "gpu_clock_hz"
    GPU_MEMORY = "gpu_memory_used_bytes"
    GPU_HEAT = "gpu_thermal_slowdown"
    GPU_BRAKE = "gpu_power_brake"
    GPU_CAPPED = "gpu_power_cap"

    @property
    def unit(self) -> Unit:
        """Told by its name."""
        for ending, unit in _UNITS.items():
            if self.value.endswith(ending):
                return unit
        return Unit.COUNT

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_UNITS = {
    "_per_s": Unit.PER_S,
    "_s": Unit.SECONDS,
    "_ratio": Unit.SHARE,
    "_tokens_mean": Unit.TOKENS,
    "_hz": Unit.HERTZ,
    "_bytes": Unit.BYTES,
}

_WORDS = {
    Signal.OFFERED: "requests asked for",
    Signal.RETRIES: "requests sent again after a failure",
    Signal.LEFT_EARLY: "requests that their client left early",
    Signal.LEFT: "left by the client",
    Signal.REFUSED: "refused",
    Signal.TIMED_OUT: "timed out in the queue",
    Signal.FAILED: "failed behind the gateway",
    Signal.QUEUE: "wait for a slot, mean",
    Signal.QUEUE_P95: "wait for a slot, p95",
    Signal.TTFT_P95: "TTFT, p95",
    Signal.PREFILL: "slot to first token, mean",
    Signal.TPOT: "TPOT, median",
    Signal.TPOT_P95: "TPOT, p95",
    Signal.DECODE: "first to last token, mean",
    Signal.E2E_P95: "whole request, p95",
    Signal.PROMPT: "prompt, mean",
    Signal.PROMPT_RATE: "prompt tokens asked for",
    Signal.OUTPUT: "answer, mean",
    Signal.RUNNING: "requests at the engine, mean",
    Signal.SLOW_HOLD: "slot time held by answers far slower than those beside them",
    Signal.SHARED_PREFIX: "prompts that begin like another",
    Signal.LIMITS_VERSION: "version of the limits",
    Signal.ACTIVE_LIMIT: "MAX_ACTIVE",
    Signal.QUEUE_LIMIT: "QUEUE_MAX",
    Signal.QUEUE_FULL: "time with a full queue",
    Signal.LOOP_LAG: "gateway's event loop, late by",
    Signal.OVERHEAD: "gateway's own time per request, mean",
    Signal.ENGINE_WAITING: "waiting inside the engine",
    Signal.KV_USE: "KV cache in use",
    Signal.PREEMPTIONS: "preemptions",
    Signal.CACHE_HITS: "prompt tokens found in the prefix cache",
    Signal.ENGINE_GAP: "gap between tokens at the engine, mean",
    Signal.ENGINE_TTFT: "TTFT at the engine, mean",
    Signal.ENGINE_RESETS: "counters of the engine that began anew",
    Signal.ENGINE_UP: "engine answers its scrapes",
    Signal.GPU_USE: "GPU busy",
    Signal.GPU_CLOCK: "GPU clock",
    Signal.GPU_MEMORY: "GPU memory in use",
    Signal.GPU_HEAT: "GPU slowed by heat",
    Signal.GPU_BRAKE: "GPU slowed by hardware or power brake",
    Signal.GPU_CAPPED: "GPU at its power cap",
}
