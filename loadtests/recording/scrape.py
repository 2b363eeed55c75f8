"""Reading a few gauges from the gateway's and the engine's metrics, for the live page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from loadtests.reach.control import Control
from loadtests.reach.endpoint import Endpoint, UnreachableError

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
_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?[ \t]+(\S+)", re.MULTILINE)
_TIMEOUT_S = 0.5
_MOST_BYTES = 4 * 2**20
"""Of a page; the rest is not read: this is asked every second."""


class Page:
    """A metrics page that is read again and again, on one connection."""

    def __init__(self, page: Endpoint, wanted: Mapping[str, str]) -> None:
        """`page`: its path is the page's own; `wanted`: names of metrics → ours."""
        self._control = Control(page, _TIMEOUT_S)
        self._path = "" if page.path else "/metrics"
        self._wanted = wanted

    def read(self) -> dict[str, float]:
        """Values by our names, label sets summed; {} when the page cannot be had."""
        try:
            status, content = self._asked()
        except UnreachableError:
            return {}
        return parse(content.decode("utf-8", "replace"), self._wanted) if status == 200 else {}

    def close(self) -> None:
        """Close the connection."""
        self._control.close()

    def _asked(self) -> tuple[int, bytes]:
        try:
            return self._control.read("GET", self._path, most_bytes=_MOST_BYTES)
        except UnreachableError:  # the server may have closed an idle connection
            return self._control.read("GET", self._path, most_bytes=_MOST_BYTES)


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
