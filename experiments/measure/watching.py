"""What of this machine a stack's cells are watched for: its processes, its cores, its GPU."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.observe.witness import listening, nvml
from experiments.observe.witness.readings import ENGINE, HARNESS, Subject
from experiments.observe.witness.watch import Watch
from experiments.stack.cores import Cores, usable
from experiments.stack.providers.provider import Provider
from loadtests.reach.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class EngineHere:
    """Where the engine is, as far as it matters. `started`: by this process, so that its cores are known;
    `needs_gpu`: it was, and computes on a GPU."""

    endpoint: Endpoint | None
    started: bool
    needs_gpu: bool

    @classmethod
    def of(cls, endpoint: Endpoint | None, provider: Provider | None) -> EngineHere:
        """`provider`: None where somebody else runs gateway and engine."""
        started = provider is not None and provider.launch is not None
        return cls(endpoint, started, provider is not None and started and provider.needs_gpu)


@contextlib.contextmanager
def of_stack(engine: EngineHere, found: Sequence[Endpoint], shared: Cores) -> Iterator[Watch]:
    """The watch over a stack; `found`: its servers that were not started here, whose work is no disturbance
    either.

    An engine in a container or on another machine is not watched: whose its cores and its GPU are is not
    known. What listens here for a server that is not found makes others' work unknown.
    """
    subject = _subject(engine, found, shared)
    with contextlib.ExitStack() as stack:
        library = stack.enter_context(nvml.opened()) if _may_use_gpu(engine, subject) else None
        yield Watch(subject, library)


def _subject(engine: EngineHere, found: Sequence[Endpoint], shared: Cores) -> Subject:
    serving = {
        of: listening.process_of(of) for of in (engine.endpoint, *found) if of and listening.is_here(of)
    }
    of_engine = serving.pop(engine.endpoint, None) if engine.started and engine.endpoint else None
    everything = frozenset(usable())
    cores = {HARNESS: frozenset(shared.others or everything)}
    if engine.started:
        cores[ENGINE] = frozenset(shared.engine or everything)
    return Subject(
        roots=(os.getpid(), *{pid for pid in serving.values() if pid is not None}),
        all_known=None not in serving.values(),
        engine=of_engine or (serving.get(engine.endpoint) if engine.endpoint else None),
        cores={name: of for name, of in cores.items() if of},
        gpu_sure=engine.needs_gpu,
    )


def _may_use_gpu(engine: EngineHere, subject: Subject) -> bool:
    """A CPU engine that was started here does not, and one that is not here uses another machine's."""
    return engine.needs_gpu if engine.started else subject.engine is not None
