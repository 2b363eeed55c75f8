"""Every query of every panel and rule, asked of a real Prometheus that scrapes a running stack under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.errors import EnvironmentProblem
from experiments.stack import engine, fetched, gateway, load, prometheus
from experiments.stack.ports import free_port
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.reach.endpoint import Endpoint
from tests.monitoring.expressions import Expression, of_panels, of_rules
from tests.monitoring.static_exposition import served

EXPOSITIONS = Path(__file__).with_name("expositions")
# From recordings, because the stack of this test has no GPU and no node exporter.
RECORDED = {"dcgm": "dcgm-exporter-4.prom", "host": "node-exporter-1.5.0.prom"}
# What the emulator does not tell, having no prefix cache: these families of a recording of the real vLLM.
ONLY_REAL_VLLM = ("vllm-0.32.0.prom", "vllm:prefix_cache_")
SETTINGS = {"MAX_ACTIVE": "2", "QUEUE_MAX": "2", "QUEUE_TIMEOUT_S": "0.3", "LOG_LEVEL": "error"}
TOKENS = {"SLOT_COST": "tokens", "KV_TOKENS": "100000"}
"""More than two requests need, so that they bind nobody and are shown."""
LANES = '[[class]]\nname = "only"\n[[tenant]]\nname = "alice"\n'
"""Nobody is alice: the load has the lane of strangers, whose series are those of every lane."""
LOAD_S = 120.0
"""More than is needed: the load is stopped when the answers are in."""


def overload(host: str, model: str, folder: Path, metrics_port: int) -> Iterator[None]:
    """More than two slots take, so that there are rejections, waits and queue timeouts to show."""
    mix = Mix(prompt_tokens=32, output_tokens=24)
    plan_file = folder / "plan.json"
    plan.make("sustained", 9.0, 0.0, LOAD_S, seed=1, mix=mix).save(plan_file)
    job = load.LoadJob(
        target=Endpoint.parse(host),
        model=model,
        plan_file=plan_file,
        run_dir=folder / "load",
        log_path=folder / "locust.log",
        drain_s=5,
        metrics_port=metrics_port,
    )
    generator = load.start(job)
    try:
        generator.wait_ready()
        generator.go()
        yield
        # Prometheus stops seeing rates when the load ends; the questions are asked while it still runs.
    finally:
        generator.stop()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Emulator, gateway, load and Prometheus with the project's rules, some seconds under overload."""
    try:
        fetched.find(fetched.PROMETHEUS)
    except EnvironmentProblem as problem:
        pytest.skip(str(problem))
    folder = tmp_path_factory.mktemp("live")
    with ExitStack() as stack:
        metrics_port, own_port = free_port(), free_port()
        (folder / "lanes.toml").write_text(LANES)
        settings = SETTINGS | TOKENS | {"LANES_FILE": str(folder / "lanes.toml")}
        emulator = stack.enter_context(engine.running(engine.choose("emulator"), log_dir=folder))
        front = stack.enter_context(
            gateway.running(engine_url=emulator.url, model=emulator.model, log_dir=folder, env=settings)
        )
        targets = {job: stack.enter_context(served(EXPOSITIONS / name)) for job, name in RECORDED.items()}
        name, prefix = ONLY_REAL_VLLM
        targets["recorded-vllm"] = stack.enter_context(served(EXPOSITIONS / name, prefix))
        targets |= {"gateway": front.url, "engine": emulator.url, "load": f"127.0.0.1:{metrics_port}"}
        targets["prometheus"] = f"127.0.0.1:{own_port}"
        url = stack.enter_context(
            prometheus.running(targets=targets, data_dir=folder / "prometheus", log_dir=folder, port=own_port)
        ).url
        for _ in overload(front.url, emulator.model, folder, metrics_port):
            client = stack.enter_context(httpx.Client(base_url=url, timeout=10))
            wait_for(client, 'gateway:requests:rate1m{outcome="queue_timeout"} > 0')
            wait_for(client, "slo:burn:rate6h")
            yield client


def wait_for(client: httpx.Client, promql: str, deadline_s: float = 40.0) -> None:
    """Return when the query has an answer.

    Raises:
        AssertionError: it had none until the deadline.
    """
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        if answer(client, promql):
            return
        time.sleep(0.2)
    raise AssertionError(f"no data within {deadline_s:g} s for {promql}")


def answer(client: httpx.Client, promql: str) -> list[dict[str, Any]]:
    """The series that the query gives now."""
    reply = client.get("/api/v1/query", params={"query": promql})
    body = reply.json()
    assert body["status"] == "success", f"{promql}: {body.get('error')}"
    result: list[dict[str, Any]] = body["data"]["result"]
    return result


def unanswered(asked: httpx.Client, questions: list[Expression], deadline_s: float = 40.0) -> list[str]:
    """Where the questions stand that have no answer until the deadline.

    A target is scraped, and a rule evaluated, at its own offset in the interval: the first answers do not
    all come at once.
    """
    until = time.monotonic() + deadline_s
    while True:
        questions = [question for question in questions if not answer(asked, question.promql)]
        if not questions or time.monotonic() > until:
            return [question.where for question in questions]
        time.sleep(0.2)


def test_every_panel_and_rule_has_data(asked: httpx.Client) -> None:
    """No panel is empty while the service works, and no recording rule records nothing."""
    panels = list(of_panels())
    empty = unanswered(asked, [*panels, *(rule for rule in of_rules() if rule.recorded)])
    print(f"{len(panels)} queries of panels asked, {len(empty)} without data")
    assert empty == []
