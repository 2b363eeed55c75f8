"""llama.cpp's server, started by somebody else."""

from __future__ import annotations

from experiments.observe.engine_metrics import EngineMetrics, EngineNames
from experiments.stack.engine_signature import Info, Signature, Told, count, text
from experiments.stack.providers.external import label
from experiments.stack.providers.provider import Provider

# Its page has every sample from the start, so one that is missing is missing: newer versions do not tell the
# use of the KV cache any more, and only the newest tell the tokens found in it.
_METRICS = EngineMetrics(
    running="llamacpp:requests_processing",
    waiting="llamacpp:requests_deferred",
    kv_use_ratio="llamacpp:kv_cache_usage_ratio",
    steps="llamacpp:n_decode_total",
    prompt_tokens="llamacpp:prompt_tokens_total",
    output_tokens="llamacpp:tokens_predicted_total",
    prefix_hit_tokens="llamacpp:prompt_tokens_cached_total",
)


def _read(info: Info) -> Told | None:
    settings = info.get("default_generation_settings")
    if not isinstance(settings, dict) or "total_slots" not in info:
        return None
    return Told(text(info, "build_info"), count(info, "total_slots"), count(settings, "n_ctx"))


LLAMACPP = Provider(
    "llamacpp",
    "llama.cpp",
    label,
    recognises=lambda facts: facts.engine_kind == "llamacpp",
    signature=Signature(("llamacpp",), "llamacpp", ("/props",), _read),
    metrics=EngineNames(_METRICS, not_always=frozenset({"kv_use_ratio", "prefix_hit_tokens"})),
    metrics_hint="start it with --metrics",
)
