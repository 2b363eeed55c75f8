"""One Prometheus that scrapes two teams' gateways and engines, all of them real but the models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from experiments.observe import identity
from experiments.observe.engine_identity import SoughtEngine
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import GivenSelectors, Scope
from experiments.stack import engine, gateway, prometheus
from experiments.stack.engine import Engine
from experiments.stack.gateway import Gateway

NOTHING = GivenSelectors()


@dataclass(frozen=True, slots=True)
class Shared:
    """Team a's gateway and engine, which are ours, beside team b's, which are busy; one Prometheus."""

    metrics: ServerMetrics
    engine: Engine
    gateway: Gateway
    other_gateway: Gateway

    def sought(self, *, address_known: bool = True) -> SoughtEngine:
        at = self.engine.endpoint if address_known else None
        return SoughtEngine(at, self.gateway.endpoint, True, self.engine.model)

    def find(self, sought: SoughtEngine, given: GivenSelectors = NOTHING) -> Scope:
        with closing(GatewayAdmin(self.gateway.endpoint, self.gateway.admin_token)) as admin:
            return identity.find(self.metrics, admin, sought, given, lambda _: None)


@contextmanager
def running(folder: Path, profile: str = "exact") -> Iterator[Shared]:
    """All of it; the other team's pair is at work from the first scrape on."""
    with ExitStack() as stack:
        fronts, engines = [], []
        for team in ("a", "b"):
            logs = folder / team
            choice = engine.choose("emulator", profile=profile)
            engines.append(stack.enter_context(engine.running(choice, log_dir=logs)))
            served = engines[-1]
            fronts.append(
                stack.enter_context(
                    gateway.running(engine_url=served.url, model=served.model, log_dir=logs, env={})
                )
            )
        targets = {f"team-{team}-api": front.url for team, front in zip("ab", fronts, strict=True)}
        targets |= {f"team-{team}-llm": served.url for team, served in zip("ab", engines, strict=True)}
        watcher = stack.enter_context(
            prometheus.running(targets=targets, data_dir=folder / "p", log_dir=folder, rules=folder / "none")
        )
        stack.enter_context(kept_busy(fronts[1], engines[1].model))
        prometheus.await_scrapes(watcher, list(targets))
        yield Shared(ServerMetrics(watcher.url), engines[0], fronts[0], fronts[1])


@contextmanager
def kept_busy(front: Gateway, model: str) -> Iterator[None]:
    """Two requests at a time."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not over.is_set():
                send(client, front, model)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def send(client: httpx.Client, front: Gateway, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "a b c"}], "max_tokens": 8}
    client.post(f"{front.url}/v1/chat/completions", json=body).raise_for_status()
