"""Finds this engine among those that a Prometheus scrapes.

An engine exports no id, and its counters are its own: after a few requests through the gateway, the target
that shows the same numbers as the engine's own page is the engine. Where that page is out of reach, it is the
target that grew by exactly what was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from experiments.errors import UserError
from experiments.observe import engine_counters, metrics_page
from experiments.observe.ask import Asker
from experiments.observe.engine_metrics import EngineMetrics
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.request_bodies import RequestBodies
from experiments.observe.scraped import Labels, listed, target_of
from experiments.observe.selector import GivenSelectors, Selector
from loadtests.planning.prompts import ONE_EACH
from loadtests.reach.endpoint import Endpoint

LONGEST_S = 90.0
"""To wait for a scrape: those of every minute are common."""
EVERY_S = 0.2
_LENGTHS = ((37, 3), (53, 2), (71, 4))
"""Prompt and output tokens of the requests that are sent: few, and unlike anybody's."""
_CLOSE = 1e-9
"""Relative: sums of several series are added up in no fixed order."""
_OWN_LABELS = frozenset({"engine", "engine_type", "model", "model_name", "tp_rank", "pp_rank", "dp_rank"})
"""What engines call their own labels; whatever else a series has is its target's."""


@dataclass(frozen=True, slots=True)
class SoughtEngine:
    """The engine that is looked for.

    Attributes:
        endpoint: None where only its gateway is known.
        gateway: through which it is asked.
        has_page: whether its `/metrics` is a metrics page, as far as its address is known.
        model: that it is asked for.
        gpu_job: the job that scrapes its GPU; None where that is to be found out.
    """

    endpoint: Endpoint | None
    gateway: Endpoint
    has_page: bool
    model: str
    gpu_job: str | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What each target shows of an engine's counters, and when it was scraped last."""

    counters: Mapping[Labels, Mapping[str, float]]
    scraped_s: Mapping[Labels, float]


class _Targets:
    """Everything that is scraped and counts as this engine does."""

    def __init__(self, metrics: ServerMetrics, narrow: Selector, own_labels: Iterable[str]) -> None:
        self._metrics = metrics
        self._narrow = narrow
        self._own_labels = frozenset(own_labels)
        self.engine = metrics.engine
        self.names = _fingerprint(metrics.engine)

    def read(self) -> _Reading:
        now_s, own = time.time(), self._metrics.engine
        # One of those that every scrape of an engine has.
        always = list(filter(None, (own.running, own.prompt_tokens, own.output_tokens)))[:1]
        stamps = [
            series
            for metric in always
            for series in self._metrics.query(f"timestamp({self._narrow.of(metric)})", now_s)
        ]
        named = self._narrow.of("", f'__name__=~"{"|".join(sorted(self.names))}"')
        counters: dict[Labels, dict[str, float]] = {}
        for series in self._metrics.query(named, now_s):
            of_target = counters.setdefault(target_of(series, self._own_labels), {})
            name = series.labels["__name__"]
            of_target[name] = of_target.get(name, 0.0) + series.value
        scraped_s: dict[Labels, float] = {}
        for series in stamps:
            target = target_of(series, self._own_labels)
            scraped_s[target] = max(scraped_s.get(target, 0.0), series.value)
        return _Reading({target: counters.get(target, {}) for target in scraped_s}, scraped_s)


def _fingerprint(engine: EngineMetrics) -> frozenset[str]:
    """Counters that tell one engine from another."""
    counted = engine_counters.samples_of(engine).values()
    return frozenset({*counted, *filter(None, (engine.output_tokens,)), "process_start_time_seconds"})


def _among(narrow: Selector) -> str:
    return f" among {narrow}" if narrow.matchers else ""


def find(
    metrics: ServerMetrics,
    engine: SoughtEngine,
    given: GivenSelectors,
    tell: Callable[[str], None],
) -> list[Labels] | None:
    """The engine's target first, then all others that were looked at; None where it is none of them."""
    at = engine.endpoint
    if at is not None and not engine.has_page:
        return None
    narrow = given.of("engine")
    page = engine_counters.read(at) if at is not None else None
    own_labels = {name for sample in metrics_page.samples(page or "") for name in sample.labels}
    targets = _Targets(metrics, narrow, own_labels - {"job", "instance"} or _OWN_LABELS)
    before = targets.read()
    if not before.scraped_s:
        tell(f"Prometheus at {metrics.url} scrapes no engine{_among(narrow)}: its series are not in this run")
        return None
    everyone = sorted(before.scraped_s)
    if given.names("engine") and len(everyone) == 1:
        return everyone
    tell("looking for this engine among those that Prometheus scrapes")
    if at is not None and page is not None:
        _send(engine)
        same, idle = _same_counters(targets, at, before)
    else:
        before = _scraped_again(targets, before, times=1)  # whatever was served until now is in it
        sent = _send(engine)
        same, idle = _grown_by(sent, before, _scraped_again(targets, before, times=2), targets.engine), False
    if same:
        return [same[0], *(target for target in everyone if target != same[0])]
    if at is not None and same is not None and idle:
        tell(
            f"Prometheus at {metrics.url} does not scrape the engine at {at.url}: its series are not in "
            "this run"
        )
        return None
    raise UserError(
        f"Prometheus at {metrics.url} has {listed(everyone)}, and nothing tells whether it is this engine or "
        "which: say so with --prometheus-selector 'engine{instance=\"…\"}'"
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """Requests that the engine served: how many, and the prompt tokens that it counted in them (None: it does
    not tell)."""

    requests: int
    prompt_tokens: int | None


def _send(engine: SoughtEngine) -> _Sent:
    async def ask() -> list[int]:
        # Each of them alone: an engine counts a request once it is over.
        bodies = RequestBodies(engine.model, ONE_EACH, "which engine")
        async with Asker(engine.gateway) as asker:
            return [(await asker.ask(bodies.make(*pair))).prompt_tokens for pair in _LENGTHS]

    counted = asyncio.run(ask())
    return _Sent(len(counted), sum(counted) if all(counted) else None)


def _same_counters(targets: _Targets, at: Endpoint, before: _Reading) -> tuple[list[Labels] | None, bool]:
    """The targets that show the engine's own counters, and whether it was left alone meanwhile.

    A target is the engine if each of its counters lies between those of two looks at the engine's page,
    before and after: equal, where nobody else uses it. None in place of targets that cannot be told apart.
    """
    first = _settled(at, targets)
    give_up_s, scrapes = time.monotonic() + LONGEST_S, _Scrapes(before)
    while True:
        seen = targets.read()
        last = _page_counters(at, targets)
        same = [target for target in sorted(seen.counters) if _between(seen.counters[target], first, last)]
        if same:
            unique = any(value != round(value) for value in first.values())
            return (same if unique or len(same) == 1 else None), first == last
        if scrapes.each(seen, times=2) or time.monotonic() > give_up_s:
            return [], first == last and bool(first)
        time.sleep(EVERY_S)


def _settled(at: Endpoint, targets: _Targets) -> dict[str, float]:
    """What the engine has counted once it has counted the last request: engines do so a moment later. What it
    has after two seconds, where others keep it busy."""
    give_up_s, counted = time.monotonic() + 2.0, _page_counters(at, targets)
    while True:
        time.sleep(EVERY_S)
        before, counted = counted, _page_counters(at, targets)
        if counted == before or time.monotonic() > give_up_s:
            return counted


def _page_counters(at: Endpoint, targets: _Targets) -> dict[str, float]:
    return engine_counters.sums(engine_counters.read(at) or "", targets.names)


def _between(shown: Mapping[str, float], first: Mapping[str, float], last: Mapping[str, float]) -> bool:
    """Whether everything that the page has is shown, from `first` to `last`, and is more than nothing."""
    names = first.keys() & last.keys()
    return any(first[name] > 0 for name in names) and all(
        name in shown and first[name] * (1 - _CLOSE) <= shown[name] <= last[name] * (1 + _CLOSE)
        for name in names
    )


def _scraped_again(targets: _Targets, before: _Reading, times: int) -> _Reading:
    """What the targets show once each was scraped so often; what they show by then after `LONGEST_S`."""
    give_up_s, scrapes = time.monotonic() + LONGEST_S, _Scrapes(before)
    seen = targets.read()
    while not scrapes.each(seen, times) and time.monotonic() < give_up_s:
        time.sleep(EVERY_S)
        seen = targets.read()
    return seen


def _grown_by(sent: _Sent, before: _Reading, seen: _Reading, engine: EngineMetrics) -> list[Labels] | None:
    """The one target that grew by what was sent and no more; None where it is none or several."""
    samples = engine_counters.samples_of(engine)
    told = {"requests": sent.requests, "prompt_tokens": sent.prompt_tokens}
    wanted = {samples[what]: n for what, n in told.items() if what in samples and n is not None}
    grown = [
        target
        for target, shown in sorted(seen.counters.items())
        if wanted
        and all(
            name in shown and abs(shown[name] - before.counters.get(target, {}).get(name, 0.0) - more) < 0.5
            for name, more in wanted.items()
        )
    ]
    return grown if len(grown) == 1 else None


class _Scrapes:
    """Counts how often each target was scraped since. The first of these may have begun before."""

    def __init__(self, before: _Reading) -> None:
        self._last_s = dict(before.scraped_s)
        self._times = dict.fromkeys(before.scraped_s, 0)

    def each(self, seen: _Reading, times: int) -> bool:
        """Take `seen` into account; whether every target that was there before has been scraped so often."""
        for target, at_s in seen.scraped_s.items():
            if at_s > self._last_s.get(target, at_s):
                self._times[target] += 1
                self._last_s[target] = at_s
        return all(self._times[target] >= times for target in self._times if target in seen.scraped_s)
