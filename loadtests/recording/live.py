"""The running totals of a run, for the web UI and the metrics port: nothing that is stored or decided on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtests.outcome import Outcome
from loadtests.record import RequestRecord
from loadtests.recording.histogram import Histogram
from loadtests.recording.load_run import CpuShare
from loadtests.recording.numbers import Generator, Numbers, numbers
from loadtests.recording.quantiles import quantile
from loadtests.recording.saturation import Lags, reasons
from loadtests.recording.so_far import SoFar
from loadtests.slo import SLO

WINDOW_S = 5.0


@dataclass(slots=True)
class Progress:
    """What a sending process has done so far."""

    sent: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class LastSeconds:
    """Over the requests that ended in the last 5 s: means per second; latencies of the served ones, seconds.

    None: of fewer samples than the quantile needs (the largest: without one), or where the engine does not
    report tokens.
    """

    served_per_s: float
    good_per_s: float
    """served within the SLO"""
    failed_per_s: float
    output_tokens_per_s: float | None
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    ttft_max_s: float | None
    tpot_p50_s: float | None
    tpot_p95_s: float | None
    tpot_max_s: float | None
    e2e_p50_s: float | None
    e2e_p95_s: float | None
    e2e_max_s: float | None


@dataclass(slots=True)
class Live:
    """Totals since the start, and the requests that ended in the last seconds.

    due_s: the plan's due times (open loop). senders: the progress of each sending process, by its name.
    output_tokens: of the served requests; None where the engine reported none of them.
    measured: gathers what only the live view shows; None for none.
    """

    due_s: Sequence[float] = ()
    planned: int = 0
    now_s: float = 0.0
    measured: SoFar | None = None
    recorded: int = 0
    output_tokens: int | None = 0
    chunks: int = 0
    senders: dict[str, Progress] = field(default_factory=dict)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    send_lag: Histogram = field(default_factory=Histogram)
    hub_lag: Histogram = field(default_factory=Histogram)
    cpu_share: Histogram = field(default_factory=Histogram)
    _recent: deque[_Ended] = field(default_factory=deque)

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
        if self.measured is not None:
            self._recent.append(_Ended(now_s, record, self.measured.add(record)))

    def add_sender(self, hub_lags_s: Iterable[float], cpu_shares: Iterable[float]) -> None:
        """Take what a sending process saw of itself since it last told."""
        for lag_s in hub_lags_s:
            self.hub_lag.add(lag_s)
        for share in cpu_shares:
            self.cpu_share.add(share)

    def _add_tokens(self, tokens: int | None) -> None:
        if tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + tokens
        elif self.output_tokens == 0:
            self.output_tokens = None

    def last_seconds(self, now_s: float) -> LastSeconds:
        """At run time `now_s`: on the wall clock, so a stall shows as zero."""
        self.now_s = now_s
        while self._recent and self._recent[0].at_s < now_s - WINDOW_S:
            self._recent.popleft()
        served = [ended.record for ended in self._recent if ended.record.outcome is Outcome.OK]
        tokens = [r.output_tokens for r in served if r.output_tokens is not None]
        window_s = min(WINDOW_S, max(now_s, 1.0))
        latencies = {name: _spread([getattr(record, f"{name}_s") for record in served]) for name in _CHARTED}
        return LastSeconds(
            served_per_s=len(served) / window_s,
            good_per_s=sum(ended.good for ended in self._recent) / window_s,
            failed_per_s=(len(self._recent) - len(served)) / window_s,
            output_tokens_per_s=sum(tokens) / window_s if tokens or not served else None,
            **{f"{name}_{which}_s": value for name, of in latencies.items() for which, value in of.items()},
        )

    def numbers(self, now_s: float, slo: SLO) -> Numbers | None:
        """The measured phase at run time `now_s`; None where it is not gathered."""
        if self.measured is None:
            return None
        send, hub, cpu = _lags(self.send_lag), _lags(self.hub_lag), self.cpu_share
        share = CpuShare(cpu.total / cpu.n if cpu.n else None, cpu.largest)
        generator = Generator(send, hub, share, tuple(reasons(send, hub, slo)))
        seen = self.measured.seen(now_s, self.in_flight)
        return numbers(self.measured.summary(now_s), seen, slo, generator, (), final=False)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A request that ended at run time `at_s`; whether it met the SLO."""

    at_s: float
    record: RequestRecord
    good: bool


_CHARTED = ("ttft", "tpot", "e2e")


def _spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """p50 and p95 where there are enough values, and the largest."""
    sample = np.array([value for value in values if value is not None], dtype=float)
    return {
        "p50": quantile(sample, 0.5).value,
        "p95": quantile(sample, 0.95).value,
        "max": float(sample.max()) if len(sample) else None,
    }


def _lags(histogram: Histogram) -> Lags:
    return Lags(histogram.n, histogram.quantile(0.5), histogram.quantile(0.99), histogram.largest)
