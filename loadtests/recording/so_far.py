"""The measured phase of a run that goes on, summed up record by record: a summary before there is a table."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from loadtests.outcome import Outcome
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.histogram import Histogram
from loadtests.recording.latency_summary import QUANTILES, Latency
from loadtests.recording.numbers import Seen
from loadtests.recording.quantiles import Quantile, interval_ranks, rank, too_few
from loadtests.recording.summary import LATENCIES, NO_TPOT, Counts, Latencies, LoadSummary, Rates
from loadtests.slo import SLO

_OF_A_SERVED = tuple(name for name in LATENCIES if name not in ("itl_s", "send_lag_s"))


class SoFar:
    """Takes each record once; its memory does not grow with their number."""

    def __init__(self, plan: Plan, slo: SLO, load_class: str | None = None) -> None:
        """`load_class`: only the requests of this one; None: all, and those of each class with an objective
        of its own beside them."""
        self._slo = slo
        self._classes = {name: SoFar(plan, own, name) for name, own in slo.classes}
        self._start_s, self._end_s = plan.phase_s("measure")
        self._open = plan.header.loop == "open"
        self._due_s = [
            a.due_s
            for a in (plan.arrivals if self._open else ())
            if a.phase == "measure" and load_class in (None, a.cls)
        ]
        self._recorded = 0
        self._outcomes: Counter[str] = Counter()
        self._good = 0
        self._attempts = 0
        self._retries = 0
        self._tokens = 0
        self._told = 0
        self._histograms = {name: Histogram() for name in LATENCIES}

    def add(self, record: RequestRecord) -> bool:
        """Whether the request met the SLO; only one of the measured phase is counted."""
        if record.cls in self._classes:
            self._classes[record.cls].add(record)
        good = self._slo.judge(record)
        if record.phase == "measure":
            self._recorded += 1
            self._outcomes[record.outcome.value] += 1
            self._good += good
            self._attempts += record.attempts
            self._retries += max(0, record.attempts - 1)
            if record.send_lag_s is not None:
                self._histograms["send_lag_s"].add(record.send_lag_s)
            if record.outcome is Outcome.OK:
                self._add_served(record)
        return good

    def _add_served(self, record: RequestRecord) -> None:
        if record.output_tokens is not None:
            self._told += 1
            self._tokens += record.output_tokens
        for name in _OF_A_SERVED:
            value = getattr(record, name)
            if value is not None:
                self._histograms[name].add(value)
        times, tokens = record.chunk_times_s, record.chunk_tokens
        known = tokens is not None and len(tokens) == len(times)
        gaps = self._histograms["itl_s"]
        for k in range(1, len(times)):
            # A gap that brought several tokens is as many gaps of its part, as in the table of records.
            parts = max(1, tokens[k]) if known and tokens is not None else 1
            gaps.add((times[k] - times[k - 1]) / parts, parts)

    def seen(self, now_s: float, in_flight: int) -> Seen:
        """At run time `now_s`."""
        measured_s = min(max(0.0, now_s - self._start_s), self._end_s - self._start_s)
        pending = self._offered(now_s) - self._recorded if self._open else in_flight
        return Seen(measured_s, self._end_s - self._start_s, max(0, pending))

    def summary(self, now_s: float) -> LoadSummary:
        """At run time `now_s`: rates per second of the phase gone by, shares over the requests that ended."""
        length_s = self.seen(now_s, 0).measured_s
        served, offered = self._outcomes[Outcome.OK.value], self._offered(now_s)
        tokens = self._tokens if self._told or not served else None
        return LoadSummary(
            counts=Counts(
                offered=offered,
                recorded=self._recorded,
                missing=0,
                outcomes={outcome.value: n for outcome in Outcome if (n := self._outcomes[outcome.value])},
                served_in_slo=self._good,
                served_late=served - self._good,
                attempts=self._attempts,
                retries=self._retries,
            ),
            rates=Rates(*(_per(amount, length_s) for amount in (offered, served, self._good, tokens))),
            attainment=self._good / self._recorded if self._recorded else None,
            latency=self._latencies(served),
            classes={name: own.summary(now_s) for name, own in self._classes.items()} or None,
        )

    def _offered(self, now_s: float) -> int:
        return bisect_right(self._due_s, now_s) if self._open else self._recorded

    def _latencies(self, served: int) -> Latencies:
        found = {name: _latency(histogram) for name, histogram in self._histograms.items()}
        if served and not self._told:
            found["tpot_s"] = NO_TPOT
        return Latencies(**found)


def _latency(histogram: Histogram) -> Latency:
    mean = histogram.total / histogram.n if histogram.n else None
    return Latency(n=histogram.n, mean=mean, **{key: _quantile(histogram, q) for key, q in QUANTILES.items()})


def _quantile(histogram: Histogram, q: float) -> Quantile:
    """As `quantiles.quantile`, from the buckets."""
    missing = too_few(histogram.n, q)
    if missing is not None:
        return missing
    low, high = interval_ranks(histogram.n, q)
    below, value, above = histogram.at((low, rank(histogram.n, q), high))
    return Quantile(value, below, above)


def _per(amount: float | None, length_s: float) -> float | None:
    return amount / length_s if amount is not None and length_s > 0 else None
