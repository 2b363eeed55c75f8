"""The end of a headless run: the numbers of load.json in words for people, and in one line of JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from loadtests.recording.load_run import Ended, LoadRun
from loadtests.recording.numbers import (
    Attained,
    ClassNumbers,
    Generator,
    Goodput,
    Numbers,
    SessionNumbers,
    Standing,
    milliseconds,
    of_run,
    rows,
)
from loadtests.recording.saturation import Lags
from loadtests.recording.summary import Counts, Rates

_WIDE = "  {:<12}{}"
_SAMPLES = "{:>6}   {:<9} {:<9} {}"


@dataclass(frozen=True, slots=True)
class EndOfRun:
    """What `--json` prints. next: commands that go on from here; paths as they were given."""

    folder: str
    next: tuple[str, ...]
    exit_code: int
    ended: str
    complete: bool
    planned: int
    recorded: int
    lost_workers: tuple[str, ...]
    numbers: Numbers


def end_of_run(run: LoadRun, folder: str) -> EndOfRun:
    """Of a finished run; `folder` has its load.json."""
    ended = run.ended
    return EndOfRun(
        folder=folder,
        next=tuple(_next(Path(folder))),
        exit_code=ended.exit_code,
        ended=ended.ended,
        complete=ended.complete,
        planned=ended.planned,
        recorded=ended.recorded,
        lost_workers=ended.lost_workers,
        numbers=of_run(run),
    )


def line(end: EndOfRun) -> str:
    """One line of JSON, with its end."""
    return orjson.dumps(end).decode() + "\n"


def text(run: LoadRun, end: EndOfRun) -> str:
    """Lines for people."""
    return "".join(f"{one}\n" for one in _lines(run, end))


def _lines(run: LoadRun, end: EndOfRun) -> Iterable[str]:
    asked, numbers = run.asked, end.numbers
    counts, rates = numbers.summary.counts, numbers.summary.rates
    yield ""
    yield (
        f"{asked.scenario} on {asked.model} at {asked.host}: {asked.measure_s:g} s measured after "
        f"{asked.warm_up_s:g} s of warm-up, {end.ended}"
    )
    yield _WIDE.format("objective", f"{numbers.objective.text}: {_standing(numbers.attainment)}")
    yield _WIDE.format("attainment", _attainment(numbers.attainment))
    yield _WIDE.format("goodput", _goodput(numbers.goodput, rates))
    yield from (_WIDE.format(f"  {one.name} ", _class(one)) for one in numbers.classes)
    if numbers.sessions is not None:
        yield _WIDE.format("sessions", _sessions(numbers.sessions))
    yield _WIDE.format("outcomes", _outcomes(counts))
    yield _WIDE.format("latency, ms", _SAMPLES.format("n", "p50", "p95", "p99"))
    for row in (*rows(numbers.summary), *([numbers.sessions.length] if numbers.sessions else [])):
        yield _WIDE.format(f"  {row.name}", _SAMPLES.format(row.n, row.p50, row.p95, row.p99))
    yield _WIDE.format("generator", _generator(numbers.generator, asked.senders))
    yield from (_WIDE.format("saturated", reason) for reason in numbers.generator.reasons)
    yield from (_WIDE.format("lengths", finding) for finding in numbers.findings)
    yield from (_WIDE.format("lost", lost) for lost in _lost(run.ended))
    yield _WIDE.format("folder", end.folder)
    yield from (_WIDE.format("next", command) for command in end.next)


def _class(one: ClassNumbers) -> str:
    """A load class in a line."""
    ttft = next((row for row in one.latencies if row.name == "TTFT"), None)
    p95 = "" if ttft is None else f"; TTFT p95 {ttft.p95}{' ms' if ttft.p95[:1].isdecimal() else ''}"
    return (
        f"{one.objective.text}: {_standing(one.attainment)}; {_attainment(one.attainment)}; goodput "
        f"{_rate(one.goodput.per_s)} a second{p95}"
    )


def _sessions(one: SessionNumbers) -> str:
    """Whole sessions in a line."""
    attained, good = one.attainment, one.goodput
    if attained.share is None or attained.low is None or attained.high is None:
        return "–"
    return (
        f"{attained.share:.1%} ({attained.low:.1%} to {attained.high:.1%}): {attained.hits} of {attained.n} "
        f"offered sessions good: {_standing(attained)}; "
        f"{_rate(good.per_s)} ({_rate(good.low_per_s)} to {_rate(good.high_per_s)}) good ones a second"
    )


def _standing(attained: Attained) -> str:
    if attained.standing is Standing.UNKNOWN:
        return "nothing was offered"
    return f"{attained.standing}{'' if attained.sure else ', but not surely: the interval has both sides'}"


def _attainment(attained: Attained) -> str:
    if attained.share is None or attained.low is None or attained.high is None:
        return "–"
    return (
        f"{attained.share:.1%} ({attained.low:.1%} to {attained.high:.1%}): "
        f"{attained.hits} of {attained.n} offered requests within the objective"
    )


def _goodput(goodput: Goodput, rates: Rates) -> str:
    tokens = rates.output_tokens_per_s
    return (
        f"{_rate(goodput.per_s)} ({_rate(goodput.low_per_s)} to {_rate(goodput.high_per_s)}) a second; "
        f"offered {_rate(rates.offered_per_s)}, served {_rate(rates.achieved_per_s)}, output tokens "
        f"{'not reported' if tokens is None else _rate(tokens)}"
    )


def _rate(per_s: float | None) -> str:
    return "–" if per_s is None else f"{per_s:.0f}" if per_s >= 1000 else f"{per_s:.3g}"


def _outcomes(counts: Counts) -> str:
    ended = [f"{name} {n}" for name, n in counts.outcomes.items()]
    missing = [f"without a record {counts.missing}"] if counts.missing else []
    late = [f"of the ok ones {counts.served_late} late"] if counts.served_late else []
    retries = [f"retries {counts.retries}"] if counts.retries else []
    return ", ".join([*ended, *missing, *late, *retries]) or "none"


def _generator(generator: Generator, senders: int) -> str:
    cpu = generator.cpu
    if cpu.mean is None or cpu.max is None:
        used = "CPU not known"
    else:
        used = f"CPU {cpu.mean:.0%} of a core, at most {cpu.max:.0%}"
    who = "one process" if senders == 1 else f"{senders} processes"
    return (
        f"send lag {_lag(generator.send_lag)} ms, hub lag {_lag(generator.hub_lag)} ms "
        f"(p50, p99, largest); {used}; {who}"
    )


def _lag(lags: Lags) -> str:
    return ", ".join(milliseconds(value) for value in (lags.p50, lags.p99, lags.max))


def _lost(ended: Ended) -> list[str]:
    lost = [f"worker {worker}" for worker in ended.lost_workers]
    if not ended.complete:
        lost.append(f"{ended.rebuilt} of {ended.planned} records, made up at the end")
    return lost


def _next(folder: Path) -> list[str]:
    """The report reads a run's folder, which has this one in its cells/."""
    if folder.parent.name != "cells":
        return []
    run = folder.parent.parent
    return [f"python -m reports {run}", f"python -m reports index {run.parent}"]
