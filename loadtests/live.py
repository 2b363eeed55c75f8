"""The running totals of a run, for the web UI and the metrics port: nothing that is stored or decided on."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from loadtests.histogram import Histogram
from loadtests.record import RequestRecord

NAMES = ("ttft_s", "itl_s", "tpot_s", "e2e_s")
_WINDOW_S = 5.0


@dataclass(slots=True)
class Live:
    """Totals since the start, and the requests that ended in the last seconds."""

    planned: int = 0
    sent: int = 0
    in_flight: int = 0
    recorded: int = 0
    output_tokens: int = 0
    chunks: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in NAMES})
    send_lag: Histogram = field(default_factory=Histogram)
    _recent: deque[tuple[float, RequestRecord]] = field(default_factory=deque)

    def add(self, record: RequestRecord, now_s: float) -> None:
        """Take a record that ended at `now_s` (run time)."""
        self.recorded += 1
        self.outcomes[record.outcome] += 1
        if record.send_lag_s is not None:
            self.send_lag.add(record.send_lag_s)
        self.chunks += len(record.chunk_times_s)
        if record.outcome == "ok":
            self.output_tokens += record.output_tokens or 0
            self._add_times(record)
        self._recent.append((now_s, record))

    def _add_times(self, record: RequestRecord) -> None:
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            value = getattr(record, name)
            if value is not None:
                self.histograms[name].add(value)
        times = record.chunk_times_s
        gaps = self.histograms["itl_s"]
        for k in range(1, len(times)):
            gaps.add(times[k] - times[k - 1])

    def last_seconds(self, now_s: float) -> dict[str, Any]:
        """Rates and quantiles of the requests that ended in the last 5 s."""
        while self._recent and self._recent[0][0] < now_s - _WINDOW_S:
            self._recent.popleft()
        records = [record for _, record in self._recent]
        served = [record for record in records if record.outcome == "ok"]
        ttft = sorted(r.ttft_s for r in served if r.ttft_s is not None)
        return {
            "served_per_s": len(served) / _WINDOW_S,
            "shed_per_s": sum(1 for r in records if r.outcome != "ok") / _WINDOW_S,
            "output_tokens_per_s": sum(r.output_tokens or 0 for r in served) / _WINDOW_S,
            "ttft_p50_s": ttft[len(ttft) // 2] if ttft else None,
            "ttft_p95_s": ttft[int(len(ttft) * 0.95)] if ttft else None,
        }
