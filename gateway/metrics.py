"""What the gateway counts, and the text of it that Prometheus reads. Every label comes from a closed set."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway import chunk
from gateway.histogram import Histogram
from gateway.lane_counts import ACTIVE, CLASS_TTFT, QUEUE_DEPTH, QUEUE_WAIT, REQUESTS, TOKENS, TTFT, Lines
from gateway.outcome import Outcome, Route
from gateway.served import BY_ROUTE

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

HELP: dict[str, tuple[str, str]] = {
    "gateway_requests_total": (
        "counter",
        "Finished requests by route, outcome and status code (499: the client left).",
    ),
    "gateway_arrived_total": ("counter", "Requests of the engine's routes whose head was read."),
    "gateway_active": ("gauge", "Slots held now."),
    "gateway_active_limit": ("gauge", "MAX_ACTIVE in force."),
    "gateway_queue_depth": ("gauge", "Requests waiting for a slot now."),
    "gateway_queue_limit": ("gauge", "QUEUE_MAX in force (0 in reject mode)."),
    "gateway_kv_tokens_held": ("gauge", "KV cache tokens that the running requests may need."),
    "gateway_kv_tokens_limit": ("gauge", "Budget of them (SLOT_COST=tokens)."),
    "gateway_active_seconds_total": ("counter", "Integral of gateway_active over time."),
    "gateway_queue_seconds_total": ("counter", "Integral of gateway_queue_depth over time."),
    "gateway_queue_full_seconds_total": ("counter", "Time during which the queue was full."),
    "gateway_queue_wait_seconds": (
        "histogram",
        "Wait for a slot of every request that got one or waited, by outcome.",
    ),
    "gateway_ttft_seconds": ("histogram", "Request fully read to first content chunk, queue included."),
    "gateway_upstream_ttft_seconds": ("histogram", "Dispatch to the engine to first content chunk."),
    "gateway_inter_token_seconds": ("histogram", "Gap between two pieces of a stream with content."),
    "gateway_request_seconds": ("histogram", "Request head read to the end of its answer, by outcome."),
    "gateway_overhead_seconds": ("histogram", "Request fully read to dispatch, without the wait for a slot."),
    "gateway_retry_after_seconds": ("histogram", "Waits told to refused clients."),
    "gateway_tokens_total": ("counter", "Tokens by kind, from the engine's usage."),
    "gateway_upstream_connections": ("gauge", "Connections to the engine by state."),
    "gateway_upstream_retries_total": ("counter", "Transparent retries on a fresh connection."),
    "gateway_breaker_state": ("gauge", "0 closed, 1 half open, 2 open."),
    "gateway_limit_changes_total": ("counter", "Changes of the limits by reason."),
    "gateway_limits_version": ("gauge", "Version of the limits in force."),
    "gateway_lane_changes_total": ("counter", "Changes of the lanes by reason."),
    "gateway_lanes_version": ("gauge", "Version of the lanes in force; 1 until they are changed."),
    REQUESTS: ("counter", "Finished requests by lane and outcome."),
    TOKENS: ("counter", "Tokens by lane and kind, from the engine's usage."),
    QUEUE_WAIT: ("summary", "Wait for a slot of every request that got one or waited, by lane."),
    TTFT: ("summary", "Request fully read to first content chunk, queue included, by lane."),
    CLASS_TTFT: (
        "histogram",
        "Request fully read to first content chunk, or the wait of one not streamed, by priority class.",
    ),
    ACTIVE: ("gauge", "Slots held now by lane."),
    QUEUE_DEPTH: ("gauge", "Requests waiting for a slot now by lane."),
    "gateway_draining": ("gauge", "1 while the gateway is draining."),
    "gateway_client_connections": ("gauge", "Open client connections."),
    "gateway_connections_refused_total": ("counter", "Client connections refused at the connection limit."),
    "gateway_event_loop_lag_seconds": (
        "gauge",
        "Largest delay of the event loop since the last scrape but one second.",
    ),
    "gateway_log_lines_dropped_total": ("counter", "Log lines dropped because the writer was behind."),
    "gateway_records_total": ("counter", "Rows of finished requests that are on the disk (RECORD_DIR)."),
    "gateway_records_lost_total": ("counter", "Rows that the disk did not take, or not in time."),
    "gateway_records_bytes": ("gauge", "What the folder of records holds."),
    "gateway_open_fds": ("gauge", "Open file descriptors."),
    "gateway_resident_bytes": ("gauge", "Resident memory."),
    "gateway_cpu_seconds_total": ("counter", "CPU time of the process, user and system."),
    "gateway_build_info": ("gauge", "Always 1, with the version."),
    "gateway_instance_info": ("gauge", "Always 1; the id was drawn when this process began."),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value that is read at the time of the scrape. labels: `state="idle"` or empty."""

    name: str
    labels: str
    value: float


class ByOutcome(dict[Outcome, Histogram]):
    """The series of a histogram, each made when its outcome first occurs."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, outcome: Outcome) -> Histogram:
        made = self[outcome] = Histogram(self._name, f'outcome="{outcome.value}"')
        return made


class Metrics:
    """Counters and histograms of the request path; `samples` is asked for the rest at scrape time."""

    def __init__(
        self, samples: Callable[[], Iterable[Sample]], lane_lines: Callable[[], Iterable[Lines]] = tuple
    ) -> None:
        """lane_lines: of all lanes, each as `LaneCounts.lines` has them."""
        self._samples = samples
        self._lane_lines = lane_lines
        self.requests: Counter[tuple[Route, Outcome, int]] = Counter()
        self.tokens: Counter[str] = Counter({"prompt": 0, "completion": 0})
        self.arrived = 0
        self.ttft = Histogram("gateway_ttft_seconds")
        self.upstream_ttft = Histogram("gateway_upstream_ttft_seconds")
        self.inter_token = Histogram("gateway_inter_token_seconds")
        self.overhead = Histogram("gateway_overhead_seconds")
        self.retry_after = Histogram("gateway_retry_after_seconds")
        self.queue_wait = ByOutcome("gateway_queue_wait_seconds")
        self.request = ByOutcome("gateway_request_seconds")

    def outcomes(self) -> dict[str, int]:
        """Finished requests of the engine's routes by outcome, all outcomes, zeros included."""
        counts = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        for (route, outcome, _), count in self.requests.items():
            if route in BY_ROUTE:
                counts[outcome.value] += count
        return counts

    def count_tokens(self, usage: object) -> None:
        """Adds the engine's own counts; anything malformed is left out."""
        if type(usage) is not dict:
            return
        for kind, name in _USAGE:
            self.tokens[kind] += chunk.count(usage.get(name)) or 0

    def text(self) -> bytes:
        """Everything in the Prometheus text format."""
        samples: dict[str, list[str]] = {name: [] for name in HELP}
        for (route, outcome, code), count in self.requests.items():
            labels = f'{{route="{route.value}",outcome="{outcome.value}",code="{code}"}}'
            samples["gateway_requests_total"].append(f"gateway_requests_total{labels} {count}")
        for kind, count in self.tokens.items():
            samples["gateway_tokens_total"].append(f'gateway_tokens_total{{kind="{kind}"}} {count}')
        samples["gateway_arrived_total"].append(f"gateway_arrived_total {self.arrived}")
        for sample in self._samples():
            labels = f"{{{sample.labels}}}" if sample.labels else ""
            samples[sample.name].append(f"{sample.name}{labels} {sample.value!r}")
        for lines in self._lane_lines():
            for name, line in lines:
                samples[name].append(line)
        for histogram in (self.ttft, self.upstream_ttft, self.inter_token, self.overhead, self.retry_after):
            samples[histogram.name].append(histogram.text())
        for series in (self.queue_wait, self.request):
            for histogram in series.values():
                samples[histogram.name].append(histogram.text())
        return _page(samples)


_USAGE = (("prompt", "prompt_tokens"), ("completion", "completion_tokens"))


def _page(samples: dict[str, list[str]]) -> bytes:
    lines = []
    for name, (kind, text) in HELP.items():
        if samples[name]:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *samples[name]]
    return ("\n".join(lines) + "\n").encode()
