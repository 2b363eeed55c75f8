"""What a run's own Prometheus scrapes, and what it is asked about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.cli import sweep_args
from experiments.errors import UserError
from experiments.measure import scrape_scope
from experiments.observe import engine_metrics
from experiments.observe.prometheus import series_of
from experiments.observe.selector import Scope, Selector
from experiments.stack import engine_asked
from experiments.stack.engine import Engine
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.recognising import recognise
from loadtests.reach.endpoint import Endpoint
from tests.experiments.observe.test_metrics_page import HTML, PAGE, answering

ENGINE = Engine(Endpoint.parse("http://127.0.0.1:8000"), "m", EXTERNAL, "engine", EngineFacts(models=("m",)))
GATEWAY = Endpoint.parse("http://127.0.0.1:8080")


@pytest.mark.parametrize(("page", "scraped"), [(PAGE, True), (HTML, False)])
def test_a_foreign_page_is_not_scraped_and_said_once(page: bytes, scraped: bool) -> None:
    """An engine that answers `/metrics` with a web page is measured without metrics."""
    with answering(page) as url:
        at = Endpoint.parse(url)
        served = replace(ENGINE, endpoint=at, facts=engine_asked.read(at, recognise))
    targets = scrape_scope.targets(GATEWAY, served, (9001, 9002))
    assert ("engine" in targets) is scraped
    said = "without metrics of it" in served.account, "(its /metrics is an HTML page" in served.account
    assert said == (not scraped, not scraped)


def test_our_own_prometheus_is_asked_about_this_start_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its database may have an engine of an earlier start on another port; a password is in no label."""
    monkeypatch.setattr("experiments.observe.prometheus.ServerMetrics.check", lambda _: None)
    monkeypatch.setenv("DCGM_EXPORTER_URL", "http://user:secret@gpu:9400/metrics")
    targets = scrape_scope.targets(GATEWAY, ENGINE, (9001, 9002))
    metrics = scrape_scope.of_own("http://127.0.0.1:9090", engine_metrics.VLLM, targets)
    scope = metrics.scope
    assert scope.gateway.matchers == ('instance="127.0.0.1:8080"', 'job="gateway"')
    assert scope.engine is not None
    assert scope.engine.matchers == ('instance="127.0.0.1:8000"', 'job="engine"')
    assert scope.gpu is not None
    assert scope.gpu.matchers == ('instance="gpu:9400"', 'job="dcgm"')


def test_every_query_is_narrowed() -> None:
    """No name of gateway, engine or GPU without the matchers of its part."""
    scope = Scope(Selector(('own="1"',)), Selector(('own="2"',)), Selector(('own="3"',)))
    for name, promql in series_of(engine_metrics.VLLM, scope).items():
        part = {"engine": "2", "gpu": "3"}.get(name.partition("_")[0], "1")
        names = promql.count("gateway_") + promql.count("vllm:") + promql.count("DCGM_")
        assert names == promql.count(f'own="{part}"') > 0, promql


def test_selectors_need_a_shared_prometheus() -> None:
    """Ours has nothing else; a selector that is none is told before anything starts."""
    given = ("--prometheus-selector", 'engine{job="a"}')
    with pytest.raises(UserError, match="--prometheus-selector goes with --prometheus-url"):
        sweep_args.parse(given)
    shared = ("--gateway-url", "http://g", "--model", "m", "--prometheus-url", "http://p")
    with pytest.raises(UserError, match="give label matchers"):
        sweep_args.parse((*shared, "--prometheus-selector", "team-a"))
    options = sweep_args.parse((*shared, *given, "--prometheus-selector", 'x="y"'))
    assert options.prometheus_selectors.of("engine").matchers == ('job="a"', 'x="y"')
    assert sweep_args.parse(("--engine", "compose", *given)).prometheus_selectors.names("engine")


def test_a_gateway_of_our_own_is_in_no_shared_prometheus() -> None:
    """It listens on a port that nobody knows before: waiting for its scrape would end in a mistake."""
    with pytest.raises(UserError, match="--prometheus-url goes with --gateway-url"):
        sweep_args.parse(("--engine-url", "http://e", "--prometheus-url", "http://p"))
    assert sweep_args.parse(("--engine", "compose", "--prometheus-url", "http://p")).prometheus is not None
