"""Reading a few gauges from the gateway's and the engine's metrics, for the live page."""

from __future__ import annotations

import http.client
import math
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

GATEWAY = {"gateway_active": "gateway_active", "gateway_queue_depth": "gateway_queue"}
LIMITS = {"gateway_active_limit": "max_active", "gateway_queue_limit": "queue_max"}
ENGINE = {"vllm:num_requests_running": "engine_running", "vllm:num_requests_waiting": "engine_waiting"}
_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?[ \t]+(\S+)", re.MULTILINE)
_TIMEOUT_S = 0.5
_MOST_BYTES = 4 * 2**20
"""Of a page; the rest is not read: this is asked every second."""


def read(url: str, wanted: Mapping[str, str]) -> dict[str, float]:
    """Values by our names, label sets summed; {} when the page cannot be had."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/metrics")
        response = connection.getresponse()
        content = response.read(_MOST_BYTES).decode("utf-8", "replace")
        return parse(content, wanted) if response.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def parse(content: str, wanted: Mapping[str, str]) -> dict[str, float]:
    """Sums over labels of the wanted metrics of a Prometheus text; without those that have a value that is no
    number. A page of anything else has none."""
    sums: dict[str, float] = {}
    for name, value in _LINE.findall(content):
        if name in wanted:
            sums[wanted[name]] = sums.get(wanted[name], 0.0) + _number(value)
    return {name: total for name, total in sums.items() if math.isfinite(total)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
