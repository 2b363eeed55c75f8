"""Everything that asks beside the load reaches a keyed engine behind TLS of an own CA, a login and a path."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from experiments.errors import EnvironmentProblem
from experiments.measure import prompt_cost
from experiments.observe import clients, engine_counters
from experiments.observe.ask import Asker, AskFailed
from experiments.observe.request_bodies import RequestBodies
from experiments.stack import chat_route, engine_asked, prometheus
from experiments.stack.providers.recognising import recognise
from loadtests.planning.prompts import ONE_EACH
from loadtests.reach.control import Control
from loadtests.reach.endpoint import Endpoint, UnreachableError
from tests.reaching.front import ForwardProxy, Front
from tests.reaching.planted import KEY, found_in, found_under, with_login

BODY = RequestBodies("emulated", ONE_EACH, "reaching").make(8, 4)


def by_probe(to: Endpoint) -> None:
    """As the probe and a calibration ask."""

    async def ask() -> None:
        async with Asker(to) as asker:
            assert (await asker.ask(BODY)).output_tokens == 4

    asyncio.run(ask())


def by_facts(to: Endpoint) -> None:
    """As a sweep looks at an engine before it starts."""
    assert engine_asked.read(to, recognise).models == ("emulated",)
    chat_route.require(to, "emulated")


def by_tokenizer(to: Endpoint) -> None:
    """As a sweep and a load find out what words cost."""
    assert prompt_cost.measured(to, "emulated").exact
    control = Control(to)
    with contextlib.closing(control):
        assert control.ask("GET", "/v1/models")[1]["data"][0]["id"] == "emulated"


def by_counters(to: Endpoint) -> None:
    """As a cell reads the engine's counters, and a library that is built on requests."""
    assert "vllm:num_requests_running" in (engine_counters.read(to) or "")
    with clients.session(to) as session:
        assert "vllm:num_requests_running" in session.get(f"{to.url}/metrics", timeout=10).text


READERS = [by_probe, by_facts, by_tokenizer, by_counters]


@pytest.mark.parametrize("read", READERS)
def test_through_tls_a_login_and_a_path(front: Front, read: Callable[[Endpoint], None]) -> None:
    """One description is all that each of them is given."""
    read(Endpoint.parse(with_login(front.url), KEY))
    assert all(asked.line.split(" ")[1].startswith("/team-a/llm/") for asked in front.seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("read", READERS)
def test_through_a_proxy_that_wants_a_login(
    front: Front,
    keyed_engine: int,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    read: Callable[[Endpoint], None],
) -> None:
    """Only the proxy knows the engine's name; with TLS it sees nothing but that."""
    with ForwardProxy("me:pa@ss") as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:pa%40ss@127.0.0.1:{proxy.port}")
        if scheme == "http":
            read(Endpoint.parse(f"http://engine.test:{keyed_engine}", KEY))
            assert all(" http://engine.test:" in asked.line for asked in proxy.seen)
        else:
            read(Endpoint.parse(with_login(f"https://engine.test:{front.port}/team-a/llm"), KEY))
            assert {asked.line[:-1] for asked in proxy.seen} == {f"CONNECT engine.test:{front.port} HTTP/1."}
            assert not any("authorization" in asked.fields for asked in proxy.seen)


def wrong(front: Front, what: str, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """An endpoint with one thing wrong."""
    monkeypatch.delenv("SSL_CERT_FILE") if what == "CA" else None
    url = {
        "login": front.url.replace("//", "//team:wrong@", 1),
        "no login": front.url,
        "path": with_login(f"https://localhost:{front.port}/team-b"),
        "scheme": with_login(front.url).replace("https", "http"),
        "name": "http://nowhere.invalid:1",
    }.get(what, with_login(front.url))
    return Endpoint.parse(url, {"key": "wrong", "no key": ""}.get(what, KEY))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("key", "it refuses the key"),
        ("no key", "it wants a key, and none was given"),
        ("login", "it refuses the user name and password"),
        ("no login", "it wants a user name and password"),
        ("CA", "its TLS certificate is not trusted"),
        ("path", "is the path right?"),
        ("scheme", "localhost"),
        ("name", "its name 'nowhere.invalid' cannot be resolved"),
    ],
)
def test_what_is_wrong_is_told(front: Front, monkeypatch: pytest.MonkeyPatch, what: str, said: str) -> None:
    """One sentence, the same from whoever asks, and no secret in it."""
    to = wrong(front, what, monkeypatch)
    with pytest.raises(EnvironmentProblem) as error:
        engine_asked.read(to, recognise)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not found_in(str(error.value).encode())
    if what not in ("path", "scheme"):
        with pytest.raises(AskFailed, match=r"cannot be (used|reached)") as failed:
            by_probe(to)
        with pytest.raises(UnreachableError) as unreachable, contextlib.closing(Control(to)) as control:
            control.ask("GET", "/v1/models")
        assert said in str(failed.value)
        assert said in str(unreachable.value)


def test_a_refused_key_is_told_without_a_front(keyed_engine: int) -> None:
    """The engine alone: which of the two it is can be told."""
    for key, said in (("wrong", "it refuses the key"), ("", "it wants a key, and none was given")):
        with pytest.raises(EnvironmentProblem, match=said):
            engine_asked.read(Endpoint.parse(f"http://127.0.0.1:{keyed_engine}", key), recognise)


def pages_of_prometheus(url: str) -> bytes:
    """What it shows of its configuration, targets and labels."""
    pages = ("status/config", "targets", "status/flags", "label/instance/values")
    return b"".join(httpx.get(f"{url}/api/v1/{page}", trust_env=False).content for page in pages)


def test_prometheus_is_told_and_shows_nothing(front: Front, tmp_path: Path) -> None:
    """Neither on disk nor in its own pages nor in its arguments."""
    target = {"engine": Endpoint.parse(with_login(front.url), KEY)}
    with prometheus.running(targets=target, data_dir=tmp_path / "p", log_dir=tmp_path) as seen:
        shown = pages_of_prometheus(seen.url)
    assert b"/team-a/llm/metrics" in shown
    assert b"basic_auth" in shown
    assert not found_in(shown)
    assert not found_under(tmp_path)


@pytest.mark.prove
def test_prometheus_scrapes_it(front: Front, tmp_path: Path) -> None:
    """Below the path, with the login, and its label is the address without it."""
    target = {"engine": Endpoint.parse(with_login(front.url), KEY)}
    with prometheus.running(targets=target, data_dir=tmp_path / "p", log_dir=tmp_path) as seen:
        prometheus.await_scrapes(seen, ["engine"])
        assert not found_in(pages_of_prometheus(seen.url))
        labels = httpx.get(f"{seen.url}/api/v1/label/instance/values", trust_env=False).json()["data"]
    assert labels == [f"localhost:{front.port}"]
