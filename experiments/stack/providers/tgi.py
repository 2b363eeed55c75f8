"""Hugging Face's Text Generation Inference, started by somebody else."""

from __future__ import annotations

from experiments.observe.engine_metrics import EngineMetrics, EngineNames
from experiments.stack.engine_signature import Info, Signature, Told, count, text
from experiments.stack.providers.external import label
from experiments.stack.providers.provider import Provider
from loadtests.planning.optional_fields import AnswerLengths

# Tokens are told as histograms per request: their sums are what was read and made by requests that ended.
_METRICS = EngineMetrics(
    running="tgi_batch_current_size",
    waiting="tgi_queue_size",
    prompt_tokens="tgi_request_input_length_sum",
    output_tokens="tgi_request_generated_tokens_sum",
    e2e_s="tgi_request_duration",
    queue_s="tgi_request_queue_duration",
    gap_s="tgi_request_mean_time_per_token_duration",
)


def _read(info: Info) -> Told | None:
    if "model_id" not in info or "max_total_tokens" not in info:
        return None
    return Told(text(info, "version"), count(info, "max_batch_size"), count(info, "max_total_tokens"))


TGI = Provider(
    "tgi",
    "TGI",
    label,
    recognises=lambda facts: facts.engine_kind == "tgi",
    # The owner of its models is the model itself.
    signature=Signature((), "tgi_", ("/info",), _read),
    metrics=EngineNames(_METRICS),
    answer_lengths=AnswerLengths.FREE,
)
