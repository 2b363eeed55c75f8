"""What a load run has come to, so far or in the end, as the live page and a headless run's end show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loadtests.recording.latency_summary import Latency
from loadtests.recording.load_run import CpuShare, LoadRun
from loadtests.recording.saturation import Lags
from loadtests.recording.session_summary import SessionSummary
from loadtests.recording.share import wilson
from loadtests.recording.summary import LoadSummary
from loadtests.slo import SLO

TITLES = {"ttft_s": "TTFT", "ttfv_s": "TTFV", "tpot_s": "TPOT", "itl_s": "ITL", "e2e_s": "E2E"}
"""The latencies that people are shown, in order, and their names."""


class Standing(StrEnum):
    """How the attainment stands against the objective's share."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"
    """nothing was judged yet"""


@dataclass(frozen=True, slots=True)
class Objective:
    """What the requests are judged by."""

    text: str
    """as it is given on a command line"""
    bounds_s: dict[str, float]
    """name of a latency → its upper bound"""
    attainment: float
    """share of the offered requests that has to keep every bound, 0-1"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of the measured phase the numbers cover."""

    measured_s: float
    """of the phase gone by; the whole of it in the end"""
    measure_s: float
    """length of the phase"""
    pending: int
    """requests due in it so far without a record yet; they are judged when they end"""


@dataclass(frozen=True, slots=True)
class Attained:
    """Requests that met the SLO among those judged: so far those that ended, in the end all offered."""

    hits: int
    n: int
    share: float | None
    """hits / n, 0-1; none without a request"""
    low: float | None
    """Wilson's 95 % interval, which takes requests as independent"""
    high: float | None
    standing: Standing
    sure: bool
    """whether the whole interval is on the share's side of the objective"""


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests that met the SLO, per second of the phase gone by; the interval is the attainment's."""

    per_s: float | None
    low_per_s: float | None
    high_per_s: float | None


@dataclass(frozen=True, slots=True)
class Generator:
    """What the load generator saw of itself, over every phase."""

    send_lag: Lags
    """due time to sending, seconds"""
    hub_lag: Lags
    """how late a sleeper of a sending process wakes, seconds"""
    cpu: CpuShare
    reasons: tuple[str, ...]
    """how it bent its own numbers, in words; empty where it did not"""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One latency as shown; n is a count, the quantiles are milliseconds in words, or why there is none."""

    name: str
    n: int
    p50: str
    p95: str
    p99: str


@dataclass(frozen=True, slots=True)
class ClassNumbers:
    """One load class, judged by its own objective."""

    name: str
    offered: int
    objective: Objective
    attainment: Attained
    goodput: Goodput
    latencies: tuple[LatencyRow, ...]


@dataclass(frozen=True, slots=True)
class SessionNumbers:
    """Whole sessions, once the run is over."""

    attainment: Attained
    """of sessions in place of requests"""
    goodput: Goodput
    """good sessions per second"""
    length: LatencyRow
    """from the begin of a session to its end"""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The measured phase of a load run.

    final: whether the run is over; then `summary` is that of load.json. Before, quantiles are to within
    0.5 %, and `counts.offered` are the requests due so far. Of several load classes `attainment` counts the
    requests that met their own class's objective, and the objective is met where every class meets its own.
    """

    final: bool
    seen: Seen
    objective: Objective
    attainment: Attained
    goodput: Goodput
    summary: LoadSummary
    generator: Generator
    findings: tuple[str, ...]
    """in the end: what is to be known of the lengths of prompts and answers"""
    classes: tuple[ClassNumbers, ...] = ()
    """the load classes, where there are several"""
    sessions: SessionNumbers | None = None
    """where the load has some, in the end"""


def numbers(
    summary: LoadSummary, seen: Seen, slo: SLO, generator: Generator, findings: Sequence[str], *, final: bool
) -> Numbers:
    """With the intervals and the verdict that follow from a summary."""
    attained = _attained_of(summary, slo, final=final)
    classes = tuple(_of_class(name, summary, own, seen, final=final) for name, own in slo.classes)
    if classes:
        attained = _by_classes(attained, classes)
    goodput = _goodput(summary, attained, seen.measured_s)
    return Numbers(
        final, seen, _objective(slo), attained, goodput, summary, generator, tuple(findings), classes,
        _of_sessions(summary.sessions, slo, seen.measured_s),
    )  # fmt: skip


def _of_sessions(sessions: SessionSummary | None, slo: SLO, length_s: float) -> SessionNumbers | None:
    if sessions is None:
        return None
    attained = _attained(sessions.good, sessions.offered, slo)
    goodput = Goodput(
        sessions.goodput_per_s,
        _rate(attained.low, attained.n, length_s),
        _rate(attained.high, attained.n, length_s),
    )
    return SessionNumbers(attained, goodput, _row("session", sessions.length_s))


def _of_class(name: str, summary: LoadSummary, slo: SLO, seen: Seen, *, final: bool) -> ClassNumbers:
    own = (summary.classes or {})[name]
    attained = _attained_of(own, slo, final=final)
    goodput = _goodput(own, attained, seen.measured_s)
    return ClassNumbers(name, own.counts.offered, _objective(slo), attained, goodput, tuple(rows(own)))


def _objective(slo: SLO) -> Objective:
    return Objective(str(slo), slo.bounds, slo.attainment)


def _goodput(summary: LoadSummary, attained: Attained, length_s: float) -> Goodput:
    return Goodput(
        per_s=summary.rates.goodput_per_s,
        low_per_s=_rate(attained.low, attained.n, length_s),
        high_per_s=_rate(attained.high, attained.n, length_s),
    )


def of_run(run: LoadRun) -> Numbers:
    """Those of a run that is over."""
    asked, ended = run.asked, run.ended
    return numbers(
        ended.summary,
        Seen(asked.measure_s, asked.measure_s, 0),
        SLO.parse(asked.slo),
        Generator(ended.send_lag, ended.hub_lag, ended.cpu, ended.reasons),
        [finding.text for finding in ended.lengths.findings] if ended.lengths is not None else (),
        final=True,
    )


def rows(summary: LoadSummary) -> list[LatencyRow]:
    """The latencies as people are shown them; TTFV only where it is not the TTFT: the engine reasons."""
    latency = summary.latency
    shown = {name: getattr(latency, name) for name in TITLES}
    if latency.ttfv_s is None or not latency.ttfv_s.n or latency.ttfv_s == latency.ttft_s:
        del shown["ttfv_s"]
    return [_row(TITLES[name], one) for name, one in shown.items() if one is not None]


def milliseconds(value_s: float | None) -> str:
    """Three digits, and whole milliseconds from 100 on; "–" for none."""
    if value_s is None:
        return "–"
    value = value_s * 1e3
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def _row(title: str, latency: Latency) -> LatencyRow:
    words = (one.why or milliseconds(one.value) for one in (latency.p50, latency.p95, latency.p99))
    return LatencyRow(title, latency.n, *words)


def _attained_of(summary: LoadSummary, slo: SLO, *, final: bool) -> Attained:
    counts = summary.counts
    return _attained(counts.served_in_slo, counts.offered if final else counts.recorded, slo)


def _by_classes(attained: Attained, classes: Sequence[ClassNumbers]) -> Attained:
    """The share of all requests, with the verdict of the classes: met where each is, missed where one is."""
    judged = [one.attainment for one in classes if one.attainment.standing is not Standing.UNKNOWN]
    if not judged:
        return replace(attained, standing=Standing.UNKNOWN, sure=False)
    missed = [one for one in judged if one.standing is Standing.MISSED]
    sure = any(one.sure for one in missed) if missed else all(one.sure for one in judged)
    return replace(attained, standing=Standing.MISSED if missed else Standing.MET, sure=sure)


def _attained(hits: int, n: int, slo: SLO) -> Attained:
    if not n:
        return Attained(hits, n, None, None, None, Standing.UNKNOWN, sure=False)
    low, high = wilson(hits, n)
    met = hits / n >= slo.attainment
    sure = low >= slo.attainment if met else high < slo.attainment
    return Attained(hits, n, hits / n, low, high, Standing.MET if met else Standing.MISSED, sure)


def _rate(share: float | None, n: int, length_s: float) -> float | None:
    return None if share is None or length_s <= 0 else share * n / length_s
