"""Reading a few gauges from the gateway's and the engine's metrics, for the live page."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

GATEWAY = {"gateway_active": "gateway_active", "gateway_queue_depth": "gateway_queue"}
LIMITS = {"gateway_active_limit": "max_active", "gateway_queue_limit": "queue_max"}
# vLLM (and the emulator), SGLang with a colon or an underscore, llama.cpp, TGI: a page has the names of one.
ENGINE = {
    "vllm:num_requests_running": "engine_running",
    "vllm:num_requests_waiting": "engine_waiting",
    "sglang:num_running_reqs": "engine_running",
    "sglang:num_queue_reqs": "engine_waiting",
    "sglang_num_running_reqs": "engine_running",
    "sglang_num_queue_reqs": "engine_waiting",
    "llamacpp:requests_processing": "engine_running",
    "llamacpp:requests_deferred": "engine_waiting",
    "tgi_batch_current_size": "engine_running",
    "tgi_queue_size": "engine_waiting",
}
_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?\s+([-+0-9.eE]+|NaN)", re.MULTILINE)
_TIMEOUT_S = 0.5


def read(url: str, wanted: Mapping[str, str]) -> dict[str, float]:
    """Values by our names, label sets summed; {} when the page cannot be had."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/metrics")
        response = connection.getresponse()
        content = response.read().decode("utf-8", "replace")
        return parse(content, wanted) if response.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def parse(content: str, wanted: Mapping[str, str]) -> dict[str, float]:
    """Sums over labels of the wanted metrics of a Prometheus text."""
    sums: dict[str, float] = {}
    for name, value in _LINE.findall(content):
        if name in wanted:
            sums[wanted[name]] = sums.get(wanted[name], 0.0) + float(value)
    return sums
