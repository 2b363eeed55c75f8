"""The running totals of a run, for the web UI and the metrics port: nothing that is stored or decided on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.recording.histogram import Histogram
from loadtests.recording.quantiles import of_sorted

TITLES = {"ttft_s": "TTFT", "itl_s": "ITL", "tpot_s": "TPOT", "e2e_s": "E2E"}
WINDOW_S = 5.0


@dataclass(slots=True)
class Progress:
    """What a sending process has done so far."""

    sent: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class LastSeconds:
    """Means per second over the requests that ended in the last 5 s, and their TTFT; None
    without a served one, or where the engine does not report tokens."""

    served_per_s: float
    failed_per_s: float
    output_tokens_per_s: float | None
    ttft_p50_s: float | None
    ttft_p95_s: float | None


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One latency so far, as shown: n is a count, the quantiles are milliseconds in
    words, "–" without samples."""

    name: str
    n: int
    p50: str
    p95: str
    p99: str


@dataclass(slots=True)
class Live:
    """Totals since the start, and the requests that ended in the last seconds.

    due_s: the plan's due times (open loop). senders: the progress of each sending process, by its name.
    output_tokens: of the served requests; None where the engine reported none of them.
    detailed: also gather what only the live view shows.
    """

    due_s: Sequence[float] = ()
    planned: int = 0
    now_s: float = 0.0
    detailed: bool = False
    recorded: int = 0
    output_tokens: int | None = 0
    chunks: int = 0
    senders: dict[str, Progress] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    histograms: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in TITLES})
    send_lag: Histogram = field(default_factory=Histogram)
    _recent: deque[tuple[float, RequestRecord]] = field(default_factory=deque)

    @property
    def due(self) -> int:
        """Requests due by now; in a closed loop, where nothing is due, those sent."""
        return bisect_right(self.due_s, self.now_s) if self.due_s else self.sent

    @property
    def sent(self) -> int:
        return sum(progress.sent for progress in self.senders.values())

    @property
    def in_flight(self) -> int:
        return sum(progress.in_flight for progress in self.senders.values())

    def add(self, record: RequestRecord, now_s: float) -> None:
        """Take a record that ended at `now_s` (run time)."""
        self.now_s = now_s
        self.recorded += 1
        self.outcomes[record.outcome] += 1
        self.chunks += len(record.chunk_times_s)
        if record.send_lag_s is not None:
            self.send_lag.add(record.send_lag_s)
        if record.outcome is Outcome.OK:
            self._add_tokens(record.output_tokens)
        if self.detailed:
            self._recent.append((now_s, record))
            if record.outcome is Outcome.OK:
                self._add_times(record)

    def _add_tokens(self, tokens: int | None) -> None:
        if tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + tokens
        elif self.output_tokens == 0:
            self.output_tokens = None

    def _add_times(self, record: RequestRecord) -> None:
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            value = getattr(record, name)
            if value is not None:
                self.histograms[name].add(value)
        times = record.chunk_times_s
        gaps = self.histograms["itl_s"]
        for k in range(1, len(times)):
            gaps.add(times[k] - times[k - 1])

    def last_seconds(self, now_s: float) -> LastSeconds:
        """At run time `now_s`: on the wall clock, so a stall shows as zero."""
        self.now_s = now_s
        while self._recent and self._recent[0][0] < now_s - WINDOW_S:
            self._recent.popleft()
        records = [record for _, record in self._recent]
        served = [record for record in records if record.outcome is Outcome.OK]
        ttft = sorted(r.ttft_s for r in served if r.ttft_s is not None)
        tokens = [r.output_tokens for r in served if r.output_tokens is not None]
        window_s = min(WINDOW_S, max(now_s, 1.0))
        return LastSeconds(
            served_per_s=len(served) / window_s,
            failed_per_s=(len(records) - len(served)) / window_s,
            output_tokens_per_s=sum(tokens) / window_s if tokens or not served else None,
            ttft_p50_s=of_sorted(ttft, 0.5),
            ttft_p95_s=of_sorted(ttft, 0.95),
        )

    def latencies(self) -> list[LatencyRow]:
        """Since the start, over served requests; ITL over their chunks."""
        return [_row(title, self.histograms[name]) for name, title in TITLES.items()]


def _row(title: str, histogram: Histogram) -> LatencyRow:
    return LatencyRow(title, histogram.n, *(_milliseconds(histogram.quantile(q)) for q in (0.5, 0.95, 0.99)))


def _milliseconds(value_s: float | None) -> str:
    """Three digits, and whole milliseconds from 100 on."""
    if value_s is None:
        return "–"
    value = value_s * 1e3
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"
