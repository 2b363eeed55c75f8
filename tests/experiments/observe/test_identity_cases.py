"""Set-ups of shared Prometheuses: two replicas of one, gateways without an id, GPUs of other machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

import pytest

from experiments.errors import UserError
from experiments.observe import engine_identity, identity
from experiments.observe.engine_identity import SoughtEngine
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.prometheus import ServerMetrics
from experiments.observe.selector import GivenSelectors, Scope
from loadtests.reach.endpoint import Endpoint
from tests.experiments.observe import scripted_prometheus
from tests.experiments.observe.scripted_prometheus import Row
from tests.experiments.observe.test_metrics_page import answering

RUNNING = "vllm:num_requests_running"
OURS = {"job": "api", "instance": "10.0.0.1:8080"}
LLM = {"job": "llm", "instance": "10.0.0.1:8000"}
THEIRS = {"job": "api", "instance": "10.0.0.2:8080"}


def row(name: str, labels: Mapping[str, str], **more: str) -> Row:
    return ({"__name__": name, **labels, **more}, 1.0)


def gateway(labels: Mapping[str, str], instance_id: str | None, **more: str) -> list[Row]:
    with_id = [row("gateway_instance_info", labels, id=instance_id, **more)] if instance_id else []
    return [row("gateway_active_limit", labels, **more), *with_id]


def find(
    rows: Sequence[Row], *given: str, page: bytes = b'gateway_instance_info{id="x"} 1\n'
) -> tuple[Scope, list[str]]:
    """The scope in a Prometheus of these series, for a gateway with this page; the engine was named."""
    said: list[str] = []
    parsed = GivenSelectors.parse(['engine{job="llm"}', *given])
    with (
        scripted_prometheus.running(rows) as url,
        answering(page) as front,
        closing(GatewayAdmin(Endpoint.parse(front), None)) as admin,
    ):
        engine = SoughtEngine(None, Endpoint.parse(front), True, "m")
        return identity.find(ServerMetrics(url), admin, engine, parsed, said.append), said


def test_two_replicas_of_a_prometheus_count_once() -> None:
    """Both scrape the same gateway: one of them is asked, also where only the other has a label for it."""
    both = [*gateway(OURS, "x", replica="a"), *gateway(OURS, "x", replica="b"), *gateway(THEIRS, "y")]
    scope, _ = find([*both, row(RUNNING, LLM)])
    assert scope.gateway.matchers == ('instance="10.0.0.1:8080"', 'job="api"', 'replica="a"')
    two = [*gateway(OURS, "x"), *gateway(OURS, "x", replica="b"), *gateway(THEIRS, "y", code="7")]
    scope, _ = find([*two, row(RUNNING, LLM)])
    assert scope.gateway.matchers == ('instance="10.0.0.1:8080"', 'job="api"', 'replica=""')


def test_a_series_of_the_same_name_elsewhere_is_not_ours() -> None:
    """Addresses repeat in clusters; the id does not."""
    rows = [*gateway(OURS, "y", cluster="one"), *gateway(OURS, "x", cluster="two"), row(RUNNING, LLM)]
    scope, _ = find(rows)
    assert 'cluster="two"' in scope.gateway.matchers


def test_a_gateway_without_an_id_is_taken_where_it_is_the_only_one() -> None:
    """One of an earlier version; of two, the sentence asks which."""
    old = b"gateway_active_limit 4\n"
    one = [*gateway(OURS, None), row(RUNNING, LLM)]
    assert find(one, page=old)[0].gateway.matchers == ('instance="10.0.0.1:8080"', 'job="api"')
    two = [*one, *gateway(THEIRS, None)]
    with pytest.raises(UserError, match=r"has 2 \(.*say which with --prometheus-selector 'gateway\{job"):
        find(two, page=old)
    chosen, _ = find(two, 'gateway{instance="10.0.0.1:8080"}', page=old)
    assert 'instance="10.0.0.1:8080"' in chosen.gateway.matchers


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (b"vllm:prompt_tokens_total 5\nvllm:e2e_request_latency_seconds_sum 1.25\n", True),
        (b"vllm:prompt_tokens_total 5\nvllm:e2e_request_latency_seconds_sum 2\n", False),
    ],
)
def test_whole_numbers_may_be_equal_by_chance(
    page: bytes, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two targets that show the same seconds are one engine, scraped twice; the same whole numbers may be
    two."""
    monkeypatch.setattr(engine_identity, "_send", lambda *_: None)
    counted = [line.split() for line in page.decode().splitlines()]
    rows = [row(RUNNING, LLM | {"replica": replica}) for replica in "ab"]
    rows += [
        ({"__name__": name, **LLM, "replica": replica}, float(value))
        for name, value in counted
        for replica in "ab"
    ]
    with scripted_prometheus.running(rows) as url, answering(page) as served:
        sought = SoughtEngine(Endpoint.parse(served), Endpoint.parse("http://127.0.0.1:1"), True, "m")
        args = (ServerMetrics(url), sought, GivenSelectors(), lambda _: None)
        if told:
            found = engine_identity.find(*args)
            assert found is not None
            assert dict(found[0])["replica"] == "a"
        else:
            with pytest.raises(UserError, match=r"has 2 \(.*--prometheus-selector 'engine\{"):
                engine_identity.find(*args)


@pytest.mark.parametrize(
    ("engine", "gpu", "matchers"),
    [
        (LLM, {"instance": "10.0.0.1:9400"}, ('instance="10.0.0.1:9400"',)),
        (LLM, {"instance": "10.0.0.2:9400"}, None),
        (
            LLM | {"pod": "llm-0", "namespace": "a"},
            {"instance": "10.0.9.9:9400", "exported_pod": "llm-0", "exported_namespace": "a"},
            ('exported_namespace="a"', 'exported_pod="llm-0"'),
        ),
        (LLM | {"pod": "llm-0", "namespace": "a"}, {"instance": "x:1", "exported_pod": "llm-0"}, None),
        (LLM | {"node": "n7"}, {"instance": "10.0.9.9:9400", "Hostname": "n7"}, ('Hostname="n7"',)),
    ],
)
def test_the_gpu_is_that_of_the_engines_pod_or_machine(
    engine: Mapping[str, str], gpu: Mapping[str, str], matchers: tuple[str, ...] | None
) -> None:
    """Every other is left out, and said."""
    rows = [*gateway(OURS, "x"), row(RUNNING, engine)]
    rows += [row("DCGM_FI_DEV_GPU_UTIL", gpu), row("DCGM_FI_DEV_GPU_UTIL", {"instance": "10.0.0.77:9400"})]
    scope, said = find(rows)
    assert (scope.gpu and scope.gpu.matchers) == matchers
    assert bool(said) == (matchers is None)
    assert matchers is not None or "--prometheus-selector 'gpu{" in said[-1]
