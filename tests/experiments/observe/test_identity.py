"""One Prometheus that scrapes two teams' gateways and engines: whose series are whose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import httpx
import pytest

from experiments.errors import UserError
from experiments.observe import engine_counters, engine_metrics, identity
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import GivenSelectors, Selector
from experiments.stack import prometheus
from tests.experiments import shared_prometheus, sweeping
from tests.experiments.shared_prometheus import Shared, kept_busy, send


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with shared_prometheus.running(tmp_path_factory.mktemp("shared")) as running:
        yield running


def scraped(metrics: ServerMetrics) -> float:
    """A time at which everything that was counted until now is known, Unix seconds."""
    metrics.wait_for_scrape(time.time())
    return time.time()


def counted(metrics: ServerMetrics, began_s: float, ended_s: float) -> float:
    """Requests in the gateway's histogram of served ones."""
    own = metrics.scope.gateway.of("gateway_request_seconds_count", 'outcome="ok"')
    promql = f"sum({own})"
    before, after = metrics.query(promql, began_s), metrics.query(promql, ended_s)
    return after[0].value - before[0].value


def labels(shared: Shared, part: str) -> Selector:
    url = shared.gateway.url if part == "api" else shared.engine.url
    return Selector.equal(prometheus.labels_of(f"team-a-{part}", url))


@pytest.mark.parametrize("known", [True, False], ids=["engine known", "only its gateway known"])
def test_each_part_is_found_by_what_only_it_can_show(shared: Shared, known: bool) -> None:
    """The gateway by its id; the engine by its counters, or by what they grew by."""
    found = shared.find(shared.sought(address_known=known))
    assert found.gateway == labels(shared, "api")
    assert found.engine == labels(shared, "llm")
    assert found.gpu is None


def test_no_number_of_the_others_is_in_ours(shared: Shared) -> None:
    """Five requests are five for gateway and engine, the limit is ours, and the engine's growth is that of
    its own page, whatever the other team's do."""
    metrics = ServerMetrics(shared.metrics.url, scope=shared.find(shared.sought()))
    with closing(GatewayAdmin(shared.other_gateway.endpoint, shared.other_gateway.admin_token)) as other:
        other.apply(other.limits().changed(max_active=77))
    own = shared.engine.endpoint
    assert own is not None
    began_s, before = scraped(metrics), engine_counters.page(own)
    with httpx.Client(trust_env=False, timeout=30) as client:
        for _ in range(5):
            send(client, shared.gateway, shared.engine.model)
    ended_s, after = scraped(metrics), engine_counters.page(own)
    assert counted(metrics, began_s, ended_s) == 5
    grown = metrics.engine_growth(began_s, ended_s)
    assert grown is not None
    assert grown.requests == 5
    assert grown == engine_counters.growth(before, after, engine_metrics.VLLM)
    series = metrics.series(began_s, ended_s + 1)
    assert set(series[series["metric"] == "gateway_active_limit"]["value"]) == {2}
    assert set(series["metric"]) >= {"engine_running", "gateway_queue_depth"}
    everything = shared.metrics.engine_growth(began_s, ended_s)
    assert everything is not None
    assert everything.requests > 5, "the other engine is busy: without a scope it would be in the sum"


def test_what_cannot_be_told_is_asked_for(shared: Shared) -> None:
    """Somebody else uses our engine too, and only its gateway is known: no target grew by what we sent."""
    with (
        kept_busy(shared.gateway, shared.engine.model),
        pytest.raises(UserError, match=r"has 2 \(.*team-a-llm.*--prometheus-selector 'engine\{"),
    ):
        shared.find(shared.sought(address_known=False))
    given = GivenSelectors.parse(['engine{job="team-a-llm"}', 'gpu{instance="gpu-7:9400"}'])
    found = shared.find(shared.sought(address_known=False), given)
    assert (found.engine, found.gpu) == (labels(shared, "llm"), Selector(('instance="gpu-7:9400"',)))


@pytest.mark.parametrize(
    ("given", "busy", "says"),
    [
        ((), True, "--prometheus-selector 'engine{"),
        (('engine{job=~"team-("}',), False, '--prometheus-selector engine{job=~"team-("}: Prometheus at '),
    ],
)
def test_a_sweep_says_it_before_anything_starts(
    shared: Shared, tmp_path: Path, given: tuple[str, ...], busy: bool, says: str
) -> None:
    """One sentence, exit code 2, no run folder; the gateway has its limits back."""
    flags = ["--gateway-url", shared.gateway.url, "--admin-token", shared.gateway.admin_token or ""]
    flags += ["--model", shared.engine.model, "--prometheus-url", shared.metrics.url]
    flags += [word for text in given for word in ("--prometheus-selector", text)]
    with closing(GatewayAdmin(shared.gateway.endpoint, shared.gateway.admin_token)) as admin:
        before = admin.limits().values()
        with kept_busy(shared.gateway, shared.engine.model) if busy else nullcontext():
            done = sweeping.run(tmp_path / "run", *flags)
        assert admin.limits().values() == before
    assert done.returncode == 2, done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ('{job!="team-a-llm"}', "does not scrape the engine at http"),
        ('engine{job="nobody"}', 'scrapes no engine among {job="nobody"}'),
    ],
)
def test_an_engine_that_is_not_scraped_has_no_series(shared: Shared, given: str, says: str) -> None:
    """Another team's is there and is not taken for it."""
    said: list[str] = []
    with closing(GatewayAdmin(shared.gateway.endpoint, shared.gateway.admin_token)) as admin:
        parsed = GivenSelectors.parse([given])
        found = identity.find(shared.metrics, admin, shared.sought(), parsed, said.append)
    assert found.engine is None
    assert says in said[-1]
    assert "its series are not in this run" in said[-1]
    metrics = ServerMetrics(shared.metrics.url, scope=found)
    assert metrics.engine_growth(time.time() - 1, time.time()) is None
    assert not any(name.startswith("engine_") for name in metrics.expected)


def test_a_gateway_that_is_not_scraped_is_one_sentence(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was said of it: the id decides."""
    monkeypatch.setattr(identity, "LONGEST_S", 0.0)
    said = r"does not scrape the gateway at .* among \{job=\"team-b-api\"\} \(it has 1 \(\{instance="
    with pytest.raises(UserError, match=said):
        shared.find(shared.sought(), GivenSelectors.parse(['gateway{job="team-b-api"}']))


@pytest.mark.parametrize(
    "text", ["team-a", "engine{}", 'engine{job="a"', 'job="a" x', "job=a", 'model{job="a"}', ""]
)
def test_what_are_no_matchers_is_one_sentence(text: str) -> None:
    """The sentence shows the form."""
    with pytest.raises(UserError, match=r"--prometheus-selector .*give label matchers"):
        GivenSelectors.parse([text])


def test_matchers_as_people_write_them() -> None:
    """With and without braces, of one part or of all."""
    given = GivenSelectors.parse(
        ['namespace="team-a"', "{job=~'a|b' , x!=\"}\"}", 'engine { instance = "h:1", }', 'gpu{node!~"n.*"}']
    )
    of_all = ('namespace="team-a"', "job=~'a|b'", 'x!="}"')
    assert given.of("gateway").matchers == of_all
    assert given.of("engine").matchers == (*of_all, 'instance="h:1"')
    assert given.of("gpu").matchers == (*of_all, 'node!~"n.*"')
    assert (given.names("engine"), given.names("gateway")) == (True, False)
