"""Reading a few gauges from the gateway's and the engine's metrics, for the live page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from loadtests.reach.control import Control
from loadtests.reach.endpoint import Endpoint, UnreachableError

GATEWAY = {"gateway_active": "gateway_active", "gateway_queue_depth": "gateway_queue"}
LIMITS = {"gateway_active_limit": "max_active", "gateway_queue_limit": "queue_max"}
ENGINE = {"vllm:num_requests_running": "engine_running", "vllm:num_requests_waiting": "engine_waiting"}
_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?\s+([-+0-9.eE]+|NaN)", re.MULTILINE)
_TIMEOUT_S = 0.5


def read(page: Endpoint, wanted: Mapping[str, str]) -> dict[str, float]:
    """Values by our names, label sets summed; {} when the page cannot be had. `page`: its path is the page's
    own."""
    control = Control(page, _TIMEOUT_S)
    try:
        status, content = control.read("GET", "" if page.path else "/metrics")
    except UnreachableError:
        return {}
    finally:
        control.close()
    return parse(content.decode("utf-8", "replace"), wanted) if status == 200 else {}


def parse(content: str, wanted: Mapping[str, str]) -> dict[str, float]:
    """Sums over labels of the wanted metrics of a Prometheus text."""
    sums: dict[str, float] = {}
    for name, value in _LINE.findall(content):
        if name in wanted:
            sums[wanted[name]] = sums.get(wanted[name], 0.0) + float(value)
    return sums
