"""What every column of every frame of `reports.load` means, and in which unit. Written beside the CSV
files.
"""

from __future__ import annotations

SETTING = {
    "max_active": ("requests", "gateway slots: the most requests in flight to the engine"),
    "queue_mode": ("", "`queue` or `reject`: what happens to a request that finds no free slot"),
    "queue_max": ("requests", "the most requests that may wait for a slot"),
    "queue_timeout_s": ("s", "the longest wait for a slot before 503"),
    "queue_order": ("", "the order in which waiters get freed slots, such as `fifo`"),
    "request_timeout_s": ("s", "the longest life of a request in the gateway"),
}

CELLS = {
    "cell": ("", "identifier of the cell: one setting under one load"),
    **SETTING,
    "knobs": ("", "what the engine was given in this cell, such as `max_num_seqs 8`; empty: its own"),
    "sentinel": (
        "",
        "whether it is none of the matrix: one setting on one trace again and again, to see drift",
    ),
    "setting": ("", "the setting in words"),
    "workload": ("", "name of the mix of requests; empty in a run of only one"),
    "scenario": ("", "name of the arrival process"),
    "rate_per_s": ("1/s", "the rate that was asked for"),
    "relative_load": ("ratio", "that rate / the capacity found by the probe"),
    "block": ("", "number of the block: one arrival plan, all settings"),
    "plan_hash": ("", "SHA-256 of the arrival plan; equal for cells that saw the same arrivals"),
    "load": ("", "the load in words"),
    "window_s": ("s", "length of the measured window"),
    "offered": ("requests", "requests due in the measured window: the denominator of every ratio"),
    "served_in_slo": ("requests", "served, and every threshold of the SLO met"),
    "served_late": ("requests", "served, but some threshold missed"),
    "rejected": ("requests", "rejected by the gateway at once (429): queue full, or reject mode"),
    "timed_out": ("requests", "waited for a slot until the queue timeout (503)"),
    "other": ("requests", "every other outcome: errors, cuts, not sent"),
    "offered_per_s": ("1/s", "offered / window"),
    "achieved_per_s": ("1/s", "served / window"),
    "goodput_per_s": ("1/s", "served in SLO / window"),
    "goodput_low_per_s": ("1/s", "lower end of its 95 % interval (see definitions)"),
    "goodput_high_per_s": ("1/s", "upper end"),
    "output_tokens_per_s": ("1/s", "output tokens of served requests / window"),
    "attainment": ("ratio", "served in SLO / offered"),
    "attainment_low": ("ratio", "lower end of its 95 % interval (see definitions)"),
    "attainment_high": ("ratio", "upper end"),
    "verdict": ("", "stable, saturated or cant_tell"),
    "binding": ("", "the resource that limits: slots, queue, engine …"),
    "slots_busy_ratio": ("ratio", "mean active / MAX_ACTIVE"),
    "queue_mean": ("requests", "mean number waiting in the gateway"),
    "queue_full_ratio": ("ratio", "share of the window with a full queue"),
    "engine_running_mean": ("requests", "mean number the engine is running"),
    "engine_waiting_mean": ("requests", "mean number waiting in the engine"),
    "kv_use_max": ("ratio", "highest use of the KV cache"),
    "validity": ("", "worst doubt: valid, info, warn or invalid; `missing` when there is no summary"),
    "engine": ("", "the engine that made the cell's numbers"),
}

LATENCY = {
    "cell": ("", "identifier of the cell"),
    "metric": ("", "ttft_s, tpot_s, e2e_s …; see definitions"),
    "quantile": ("", "p50, p95 or p99"),
    "value_s": ("s", "the quantile; nan when there are too few requests for it"),
    "low_s": ("s", "lower end of its 95 % interval"),
    "high_s": ("s", "upper end"),
    "n": ("requests", "how many requests (gaps, for itl_s) it rests on"),
    "why": ("", "why there is no value"),
}

OUTCOMES = {
    "cell": ("", "identifier of the cell"),
    "outcome": ("", "served_in_slo, served_late, or the record outcome"),
    "count": ("requests", "how many of the measured window"),
    "share": ("ratio", "count / offered"),
}

AGREEMENT = {
    "cell": ("", "identifier of the cell"),
    "metric": ("", "the latency, both sources from the same starting point"),
    "quantile": ("", "p50 or p95"),
    "records_s": ("s", "from the client's records"),
    "prometheus_s": ("s", "from the gateway's histogram in Prometheus"),
    "bucket_low_s": ("s", "lower bound of the histogram bucket it fell into"),
    "bucket_high_s": ("s", "upper bound"),
    "agrees": ("", "whether they differ by no more than a bucket"),
}

LEDGER = {
    "cell": ("", "identifier of the cell"),
    "what": ("", "what was counted"),
    "client": ("requests", "by the load generator"),
    "gateway": ("requests", "by the gateway's counters"),
    "agrees": ("", "whether the two are equal"),
    "explanation": ("", "why not"),
}

DOUBTS = {
    "cell": ("", "identifier of the cell"),
    "code": ("", "which check"),
    "severity": ("", "info, warn or invalid"),
    "text": ("", "what is in doubt and what to do"),
}

# A unit of "as measured" is that of the measure: s, 1/s, or a ratio.
PREDICTED = {
    "cell": ("", "identifier of the cell"),
    "metric": ("", "goodput_per_s, attainment, ttft_s_p95, tpot_s_p95 or e2e_s_p95"),
    "predicted": ("as measured", "foretold before the cell ran, for a trace that was not known"),
    "predicted_low": ("as measured", "lower end of its prediction interval (level: predicted.json)"),
    "predicted_high": ("as measured", "upper end"),
    "measured": ("as measured", "what the cell measured"),
    "measured_low": ("as measured", "lower end of its 95 % interval"),
    "measured_high": ("as measured", "upper end"),
    "error": ("ratio", "predicted / measured − 1"),
    "model_error": ("ratio", "the same for the model on the very trace that was measured"),
    "noise": ("ratio", "(1 + error) / (1 + model_error) − 1: the luck of the trace and of the machine"),
    "inside": ("", "whether the measured value lies in the prediction interval"),
    "scored": ("", "whether the measurement is certain enough to judge the prediction by"),
}

TABLES = {
    "cells": CELLS,
    "latency": LATENCY,
    "outcomes": OUTCOMES,
    "agreement": AGREEMENT,
    "ledger": LEDGER,
    "doubts": DOUBTS,
    "predicted": PREDICTED,
}

RECORDS = {
    "i": ("", "number of the arrival in the plan"),
    "request_id": ("", "x-request-id"),
    "phase": ("", "warm_up, measure or drain"),
    "class": ("", "request class of the workload"),
    "session": ("", "conversation, when the workload has them"),
    "due_s": ("s", "when the plan wanted it; all times count from the cell's t = 0"),
    "sent_s": ("s", "when it left"),
    "headers_s": ("s", "response head received"),
    "first_s": ("s", "first chunk with content"),
    "last_s": ("s", "last content chunk"),
    "finished_s": ("s", "last byte, or the end of the attempt"),
    "chunk_times_s": ("s", "list: when each content chunk arrived"),
    "chunk_tokens": ("tokens", "list: tokens in each chunk, where known"),
    "outcome": ("", "closed set, see definitions"),
    "status": ("", "HTTP status"),
    "error": ("", "error text"),
    "finish_reason": ("", "stop, length …"),
    "prompt_tokens": ("tokens", "from the engine's usage"),
    "output_tokens": ("tokens", "from the engine's usage"),
    "queue_s": ("s", "waited for a slot, from Server-Timing"),
    "upstream_s": ("s", "dispatch → the engine's response head, from Server-Timing"),
    "limits_version": ("", "version of the gateway's limits in force"),
    "retry_after_s": ("s", "Retry-After of the answer"),
    "attempts": ("", "how many times it was tried"),
    "ttft_s": ("s", "first_s − due_s"),
    "ttft_from_send_s": ("s", "first_s − sent_s"),
    "tpot_s": ("s", "(last_s − first_s) / (output_tokens − 1); nan below 2 tokens"),
    "e2e_s": ("s", "finished_s − due_s, served requests only"),
    "send_lag_s": ("s", "sent_s − due_s"),
}

SERIES = {
    "t_s": ("s", "from the cell's t = 0"),
    "metric": ("", "gateway_active, gateway_queue_depth, engine_running …"),
    "value": ("as its name says", "the sample"),
}
