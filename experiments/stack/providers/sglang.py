"""SGLang, started by somebody else."""

from __future__ import annotations

from experiments.observe.engine_metrics import EngineMetrics, EngineNames
from experiments.stack.engine_signature import Info, Signature, Told, count, text
from experiments.stack.providers.external import label
from experiments.stack.providers.provider import Provider

# A counter comes to the page when it first counts; older versions have none of what was retracted and of what
# was found in the cache.
_NEWEST = EngineMetrics(
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    kv_use_ratio="sglang:token_usage",
    prompt_tokens="sglang:prompt_tokens_total",
    output_tokens="sglang:generation_tokens_total",
    prefix_hit_tokens="sglang:cached_tokens_total",
    preemptions="sglang:num_retracted_requests_total",
    e2e_s="sglang:e2e_request_latency_seconds",
    queue_s="sglang:queue_time_seconds",
    ttft_s="sglang:time_to_first_token_seconds",
    gap_s="sglang:inter_token_latency_seconds",
)
_RENAMED = {"gap_s": ("sglang:time_per_output_token_seconds",)}
# Routers and collectors that allow no colon in a name write an underscore.
_FORMER = {
    what: (
        *_RENAMED.get(what, ()),
        *(former.replace(":", "_") for former in (name, *_RENAMED.get(what, ()))),
    )
    for what, name in _NEWEST.names().items()
}


def _read(info: Info) -> Told | None:
    if "model_path" not in info or not {"internal_states", "tp_size", "mem_fraction_static"} & info.keys():
        return None
    states = info.get("internal_states")
    state = states[0] if isinstance(states, list) and states and isinstance(states[0], dict) else {}
    batch = count(info, "max_running_requests") or count(state, "effective_max_running_requests_per_dp")
    return Told(text(info, "version"), batch, count(info, "context_length"))


SGLANG = Provider(
    "sglang",
    "SGLang",
    label,
    recognises=lambda facts: facts.engine_kind == "sglang",
    signature=Signature(("sglang",), "sglang", ("/server_info", "/get_server_info"), _read),
    metrics=EngineNames(_NEWEST, _FORMER),
    metrics_hint="start it with --enable-metrics",
)
