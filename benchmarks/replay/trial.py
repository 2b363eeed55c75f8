"""Engine and recording gateway, and what is sent to them: one leg after the other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.replay import mixed_traffic
from benchmarks.replay.compared import Bounds, Leg, answered_in_all, leg
from experiments.observe import engine_counters
from experiments.run_folder import load_run
from experiments.stack import cores, load
from experiments.stack import engine as engines
from experiments.stack import gateway as gateways
from experiments.stack.cores import Cores
from experiments.stack.engine import Engine
from experiments.stack.gateway import Gateway
from loadtests.planning.plan import Plan
from loadtests.traffic import recorded, replayed, table
from loadtests.traffic.replayed import Stretch
from loadtests.traffic.segments import Span
from loadtests.traffic.traffic import Traffic

_LIMITS = {"MAX_ACTIVE": "6", "QUEUE_MAX": "40", "QUEUE_TIMEOUT_S": "8", "QUEUE_ORDER": "fair"}
_SETTLES_S = 1.0
_DRAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Stand:
    """What all legs of a run share. folder: logs, plans and load runs; the recording lies in `recording`."""

    engine: Engine
    gateway: Gateway
    shared: Cores
    folder: Path

    @property
    def recording(self) -> Path:
        return self.folder / "recording"


@dataclass(frozen=True, slots=True)
class Played:
    """A leg as it was recorded. hits: share of the prompt tokens that the engine found in its cache."""

    traffic: Traffic
    span: Span
    hits: float | None


@contextlib.contextmanager
def running(engine: str, folder: Path) -> Iterator[Stand]:
    """An engine by its name, and a gateway before it that records into `folder`."""
    shared = cores.split(cores.AUTO, engine_is_here=engine != "vllm")
    lanes = folder / "lanes.toml"
    lanes.write_text(mixed_traffic.LANES, encoding="utf-8")
    env = _LIMITS | {"RECORD_DIR": str(folder / "recording"), "LANES_FILE": str(lanes)}
    with (
        engines.running(engines.choose(engine), log_dir=folder, cpus=shared.engine) as served,
        gateways.running(
            engine_url=served.url, model=served.model, log_dir=folder, cpus=shared.others, env=env
        ) as gateway,
    ):
        yield Stand(served, gateway, shared, folder)


def pair(stand: Stand, rate_per_s: float, length_s: float, seed: int) -> dict[str, Leg]:
    """Traffic, and its replay from what was recorded of it: `recorded`, `replayed`; and, before or after it,
    once more the very plan that was sent first, `again`: by so much do two runs of one thing differ.
    """
    sent = mixed_traffic.plan(rate_per_s, length_s, seed)
    first = _play(stand, sent, f"{seed}-recorded")
    found = recorded.of(first.traffic, stand.recording.name, first.span, seed)
    plan = replayed.plan(found, 1.0, Stretch(0.0, length_s), seed)
    orders = (("again", sent), ("replayed", plan))[:: 1 if seed % 2 else -1]
    later = {name: _play(stand, one, f"{seed}-{name}") for name, one in orders}
    bounds = Bounds.of(first.traffic)
    legs = {"recorded": first, **later}
    compared = answered_in_all([one.traffic for one in legs.values()])
    return {name: leg(one.traffic, bounds, one.hits, compared) for name, one in legs.items()}


def _play(stand: Stand, plan: Plan, name: str) -> Played:
    folder = stand.folder / name
    folder.mkdir()
    plan.save(folder / "sent.json")
    before = _page(stand)
    job = load.LoadJob(
        target=stand.gateway.endpoint,
        model=stand.engine.model,
        plan_file=folder / "sent.json",
        run_dir=folder / "run",
        log_path=folder / "locust.log",
        drain_s=_DRAIN_S,
        tokenizer=stand.engine.endpoint,
        cpus=stand.shared.others,
    )
    process = load.start(job)
    try:
        process.wait_ready()
        process.go()
        if not process.wait_result(plan.duration_s + 2 * _DRAIN_S):
            raise RuntimeError(f"the load did not end: {folder / 'locust.log'}")
        process.wait(_DRAIN_S)
    finally:
        process.stop()
    began_s = load_run.read(process.result_file).asked.started_unix_s
    time.sleep(_SETTLES_S)  # the recorder writes four times a second
    span = Span(began_s, began_s + plan.duration_s + _DRAIN_S)
    return Played(table.traffic(stand.recording, span), span, _hits(stand, before, _page(stand)))


def _page(stand: Stand) -> str | None:
    return None if stand.engine.endpoint is None else engine_counters.read(stand.engine.endpoint)


def _hits(stand: Stand, before: str | None, after: str | None) -> float | None:
    grown = engine_counters.growth(before, after, stand.engine.metrics) if before and after else None
    if grown is None or grown.prefix_hit_tokens is None or not grown.prompt_tokens:
        return None
    return grown.prefix_hit_tokens / grown.prompt_tokens
