"""What an engine behind a URL is taken for, with which requests, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.observe import engine_counters
from experiments.observe.engine_metrics import EngineMetrics, names_on
from experiments.observe.prometheus import series_of
from experiments.stack import engine
from experiments.stack.engine import Engine
from experiments.stack.providers import known
from loadtests.recording import scrape
from tests.engines.foreign_engine import BATCH, EXPOSITIONS, KINDS, ForeignEngine, ForeignKind, Work, served

LOG_DIR = Path()
"""Nothing is started, so nothing is logged."""


def looked(url: str, name: str = "auto") -> Engine:
    """What a command learns of the engine at a URL."""
    with engine.running(engine.choose(name, engine_url=url), log_dir=LOG_DIR) as found:
        return found


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the kinds."""
    return str(request.param)


@pytest.fixture(scope="module")
def running(kind: str) -> Iterator[tuple[str, ForeignEngine]]:
    """One for all tests of its kind."""
    with served(KINDS[kind]) as found:
        yield found


@pytest.fixture
def site(running: tuple[str, ForeignEngine]) -> tuple[str, ForeignEngine]:
    """An engine of that kind, asked for nothing yet, that has done nothing."""
    url, played = running
    played.asked.clear()
    played.work = Work()
    return url, played


LABELS = {
    "vllm": "vLLM 0.8.5 (external, served)",
    "sglang": "SGLang 0.4.9 (external, served)",
    "llamacpp": "llama.cpp b7100-0123abc (external, served)",
    "tgi": "TGI 3.3.4 (external, served)",
    "ollama": "Ollama 0.12.3 (external, served)",
    "openai": "organization_owner of unknown version (external, served)",
}
ASKED = {
    "vllm": ["/version"],
    "sglang": ["/server_info", "/get_server_info"],
    "llamacpp": ["/props"],
    "tgi": ["/info"],
    "ollama": ["/api/version"],
    "openai": ["/server_info", "/get_server_info", "/props", "/info", "/api/version", "/version"],
}
WITHOUT = (
    "without metrics of it, its batch, queue and KV cache stay unknown, and saturation is judged by the "
    "gateway's slots and the records (its /metrics {instead})"
)
ACCOUNTS = {
    "vllm": "taken for vLLM (its models are owned by 'vllm'); it does not report: prefix cache hits",
    "sglang": (
        "taken for SGLang (its models are owned by 'sglang'); it does not report: preemptions, prefix cache "
        "hits, time in its queue, time in prefill"
    ),
    "llamacpp": (
        "taken for llama.cpp (its models are owned by 'llamacpp'); it does not report: KV cache use, "
        "preemptions, times of requests, time in its queue, time in prefill"
    ),
    "tgi": (
        "taken for TGI (its metrics begin with 'tgi_'); it does not report: KV cache use, preemptions, "
        "prefix cache hits, time in prefill"
    ),
    "ollama": (
        "taken for Ollama (its models are owned by 'library'); " + WITHOUT.format(instead="answers 404")
    ),
    "openai": (
        "it is of no known kind (its models are owned by 'organization_owner'), and read as any OpenAI "
        "server; --engine NAME tells what it is; " + WITHOUT.format(instead="is an HTML page and no metrics")
    ),
}


def test_each_kind_is_known_by_what_it_shows(kind: str, site: tuple[str, ForeignEngine]) -> None:
    """The label of every number, the sentence that says what is missing, and no request too many."""
    url, played = site
    found = looked(url)
    assert found.label == LABELS[kind]
    assert found.account == ACCOUNTS[kind]
    assert played.asked == ["/v1/models", "/metrics", *ASKED[kind], "/v1/chat/completions"]


LIMITS = {"sglang": (4096, BATCH), "llamacpp": (4096, BATCH), "tgi": (4096, None)}


def test_limits_are_told_by_the_engines_own_page(kind: str, site: tuple[str, ForeignEngine]) -> None:
    """The longest context, and the batch that saturation is judged by, where the engine says it."""
    facts = looked(site[0]).facts
    assert (facts.max_model_len, facts.max_num_seqs) == LIMITS.get(kind, (None, None))


def test_what_a_kind_counts_is_read_by_its_own_names(kind: str, site: tuple[str, ForeignEngine]) -> None:
    """Growth of a cell, series and the live page: each from this engine's page, or not at all."""
    url, played = site
    metrics = looked(url).metrics
    if KINDS[kind].exposition is None:
        assert metrics == EngineMetrics()
        assert not [name for name in series_of(metrics) if name.startswith("engine_")]
        return
    played.work.prompt_tokens, played.work.requests, played.work.seconds = 11, 0, 0.0  # a look asks too
    before = played.metrics()
    played.work.running, played.work.waiting, played.work.requests = 3, 2, 7
    played.work.seconds, played.work.prompt_tokens, played.work.output_tokens = 14.0, 81, 50
    after = played.metrics()
    assert scrape.parse(after, scrape.ENGINE) == {"engine_running": 3, "engine_waiting": 2}
    there = names_on(after)
    series = series_of(metrics)
    for name in ("engine_running", "engine_waiting", "engine_tokens_per_s"):
        assert any(sample in series[name] for sample in there), name
    growth = engine_counters.growth(before, after, metrics)
    if kind == "llamacpp":
        assert growth is None, "it counts no requests"
        return
    assert growth is not None
    assert (growth.requests, growth.prompt_tokens) == (7, 70)
    assert growth.request_s == pytest.approx(14.0)
    assert growth.preemptions == (0.0 if kind == "vllm" else None), "unknown is not zero"


WITHOUT_OWNER = {
    "vllm": "its metrics begin with 'vllm:'",
    "sglang": "its metrics begin with 'sglang'",
    "llamacpp": "its metrics begin with 'llamacpp'",
    "tgi": "its metrics begin with 'tgi_'",
    "ollama": "it answers /api/version as such",
}


@pytest.mark.parametrize("kind", WITHOUT_OWNER)
def test_an_engine_that_a_proxy_renamed_is_known_by_its_metrics(kind: str) -> None:
    """The owner of a model is what the proxy in front says; the metrics are the engine's."""
    with served(replace(KINDS[kind], owner="openai")) as (url, _):
        assert looked(url).facts.recognised_by == WITHOUT_OWNER[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sglang", "without metrics of it: start it with --enable-metrics"),
        ("llamacpp", "without metrics of it: start it with --metrics"),
        ("tgi", "(it answers /info as such); without metrics of it"),
    ],
)
def test_metrics_that_are_off_are_said_with_the_remedy(kind: str, words: str) -> None:
    """By its own page it is known all the same, and a Prometheus that has its metrics is still read."""
    off = replace(KINDS[kind], exposition=None, owner="somebody")
    with served(off) as (url, _):
        found = looked(url)
    assert words in found.account
    assert found.metrics == known.named(kind).metrics.newest


@pytest.mark.parametrize(
    ("kind", "page", "words"),
    [
        ("tgi", "", "(it answers /info as such; its metrics page has none of them so far); it does not"),
        (
            "vllm",
            "python_info 1\n",
            "none of them so far; if that stays so, start it without --disable-log-stats)",
        ),
    ],
)
def test_a_page_without_the_engines_metrics_is_read_all_the_same(kind: str, page: str, words: str) -> None:
    """Some come with the first request; that there are none so far is said."""
    with served(KINDS[kind]) as (url, played):
        played.metrics = lambda: page  # type: ignore[method-assign]  # as a fresh one would
        found = looked(url)
    assert words in found.account
    assert (found.metrics, found.facts.metrics_page) == (known.named(kind).metrics.newest, True)


def test_what_the_user_names_is_believed() -> None:
    """`--engine sglang` reads whatever answers there as SGLang; `--engine openai` asks for no metrics."""
    disguised = ForeignKind("vllm", KINDS["sglang"].stream, "sglang-0.5.prom")
    with served(disguised) as (url, _):
        found, plain = looked(url, "sglang"), looked(url, "openai")
    assert (found.provider.name, found.label) == ("sglang", "SGLang of unknown version (external, served)")
    assert found.metrics.running == "sglang:num_running_reqs"
    assert "(--engine sglang)" in found.account
    assert plain.metrics == EngineMetrics()


NAMES_ON: Mapping[str, Mapping[str, str | None]] = {
    "vllm-0.8.prom": {"kv_use_ratio": "vllm:gpu_cache_usage_perc", "prefix_hit_tokens": None},
    "vllm-0.32.0.prom": {
        "kv_use_ratio": "vllm:kv_cache_usage_perc", "gap_s": "vllm:inter_token_latency_seconds"
    },
    "sglang-0.4.prom": {"gap_s": "sglang:time_per_output_token_seconds"},
    "sglang-0.5.prom": {"gap_s": "sglang:inter_token_latency_seconds"},
    "llamacpp-2024.prom": {"kv_use_ratio": "llamacpp:kv_cache_usage_ratio", "prefix_hit_tokens": None},
    "llamacpp-2026.prom": {"kv_use_ratio": None, "prefix_hit_tokens": "llamacpp:prompt_tokens_cached_total"},
}  # fmt: skip


@pytest.mark.parametrize("exposition", NAMES_ON)
def test_a_version_is_read_by_the_names_that_it_has(exposition: str) -> None:
    """What was renamed is found under its former name; what was taken out is not asked for."""
    page = (EXPOSITIONS / exposition).read_text()
    row = known.named(exposition.partition("-")[0].removesuffix(".prom"))
    found = row.metrics.on(page)
    for what, name in NAMES_ON[exposition].items():
        assert getattr(found, what) == name


def test_the_newest_vllm_tells_everything() -> None:
    """On a recording of the real one every name of the row is found, and none is former."""
    page = (EXPOSITIONS / "vllm-0.32.0.prom").read_text()
    metrics = known.named("vllm").metrics.on(page)
    assert metrics == known.named("vllm").metrics.newest
    assert metrics.untold(page) == ()


def test_a_router_that_writes_underscores_is_read_too() -> None:
    """SGLang's names with an underscore where it has a colon."""
    page = (EXPOSITIONS / "sglang-0.5.prom").read_text().replace("sglang:", "sglang_")
    metrics = known.named("sglang").metrics.on(page)
    assert all(name.startswith("sglang_") for name in metrics.names().values())
    with served(ForeignKind(None, KINDS["sglang"].stream, "sglang-0.5.prom")) as (url, played):
        played.metrics = lambda: page  # type: ignore[method-assign]  # as the router would
        assert looked(url).label.startswith("SGLang")


def test_the_rules_and_the_live_page_know_every_engine() -> None:
    """A name of a row that stands in no recording rule would leave the dashboards empty."""
    rules = (EXPOSITIONS.parents[2] / "monitoring/prometheus/engine.rules.yml").read_text()
    for row in known.PROVIDERS:
        newest, former = row.metrics.newest, row.metrics.former
        for what in ("running", "waiting", "kv_use_ratio", "prompt_tokens", "output_tokens", "preemptions"):
            for name in filter(None, (getattr(newest, what), *former.get(what, ()))):
                assert name in rules, name
        for what in ("running", "waiting"):
            for name in filter(None, (getattr(newest, what), *former.get(what, ()))):
                assert scrape.ENGINE[name] == f"engine_{what}"
