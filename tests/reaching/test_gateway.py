"""The gateway before a keyed engine behind TLS, a login and a path; and before engines without `/health`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.stack import ports
from tests.gateway.process import GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import ScriptedEngine, whole
from tests.reaching.authority import Authority
from tests.reaching.front import ForwardProxy, Front
from tests.reaching.planted import CLIENT_KEY, KEY, TOKEN, found_in, with_login

HELLO = [{"role": "user", "content": "hello"}]
PAGE = "<!doctype html><title>app</title>"


def why(running: GatewayProcess) -> str:
    """What `/ready` says, also that it is ready."""
    status, _, body = running.get("/ready")
    return "ready" if status == 200 else str(json.loads(body)["error"]["message"])


@contextmanager
def before(front: Front, own_ca: Authority, **settings: Any) -> Iterator[GatewayProcess]:
    """A gateway whose engine is the front."""
    usual = {"upstream_api_key": KEY, "ssl_cert_file": own_ca.ca} | settings
    url = str(usual.pop("vllm_base_url", with_login(front.url)))
    with gateway(url, **{name: value for name, value in usual.items() if value is not None}) as running:
        until(lambda: "not probed yet" not in why(running), 10)
        yield running


def log_of(running: GatewayProcess, event: str) -> list[dict[str, Any]]:
    """Lines of its log."""
    lines = [json.loads(line) for line in running.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@pytest.mark.fault(94)
def test_requests_and_probe_get_through(front: Front, own_ca: Authority) -> None:
    """Chat, models and readiness; a client's own key does not replace the gateway's."""
    with before(front, own_ca) as running:
        assert why(running) == "ready"
        assert "emulated" in running.get("/v1/models")[2].decode()
        assert running.chat(messages=HELLO, model="emulated", max_tokens=2)[0] == 200
        assert running.chat(messages=HELLO, model="emulated", max_tokens=2, stream=True)[0] == 200
        assert log_of(running, "listening")[0]["engine"] == front.url
        assert not found_in(running.log().encode() + running.get("/health")[2])


@pytest.mark.fault(97)
def test_nothing_shows_how(front: Front, own_ca: Authority) -> None:
    """No page, no log, no metric, and not its own command line, though all was typed there."""
    port = free_port()
    words = [
        "--vllm-base-url",
        with_login(front.url),
        f"--upstream-api-key={KEY}",
        "--gateway-port",
        str(port),
    ]
    words += ["--gateway-admin-token", TOKEN, "--gateway-api-keys", f"other,{CLIENT_KEY}"]
    env = {**os.environ, "SSL_CERT_FILE": str(own_ca.ca)}
    started = subprocess.Popen([sys.executable, "-m", "gateway", *words], env=env, stderr=subprocess.PIPE)
    assert started.stderr is not None
    with started, started.stderr:
        try:
            until(ports.answers(f"http://127.0.0.1:{port}/health"), 20, "the gateway answers")
            title = Path(f"/proc/{started.pid}/cmdline").read_bytes()
            asked = [f"http://127.0.0.1:{port}{path}" for path in ("/metrics", "/health", "/admin/state")]
            fields = {"x-api-key": TOKEN}  # as a proxy before the gateway would leave it
            answers = [httpx.get(url, headers=fields, trust_env=False) for url in asked]
            models = [
                httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=given, trust_env=False).status_code
                for given in ({}, {"x-api-key": "wrong"}, {"x-api-key": CLIENT_KEY})
            ]
        finally:
            started.terminate()
        rest = started.stderr.read()
    assert [answer.status_code for answer in answers] == [200] * 3
    assert models[:2] == [401, 401]
    assert models[2] != 401
    assert b"--vllm-base-url" in title
    assert found_in(title + rest + b"".join(answer.content for answer in answers)) == []


@pytest.mark.fault(95)
def test_through_a_proxy(front: Front, own_ca: Authority) -> None:
    """Requests and probe, with TLS inside it; the engine's name is known to the proxy alone."""
    url = with_login(f"https://engine.test:{front.port}/team-a/llm")
    with ForwardProxy("me:pa@ss") as proxy:
        way = f"http://me:pa%40ss@127.0.0.1:{proxy.port}"
        with before(front, own_ca, vllm_base_url=url, https_proxy=way) as running:
            assert why(running) == "ready"
            assert running.chat(messages=HELLO, model="emulated", max_tokens=2)[0] == 200
            assert len(proxy.seen) >= 2
            assert not any("authorization" in asked.fields for asked in proxy.seen)


@pytest.mark.fault(95)
def test_through_a_proxy_in_the_clear(keyed_engine: int) -> None:
    """Without TLS each request names the whole address; without its login the proxy is what is wrong."""
    url = f"http://engine.test:{keyed_engine}"
    with ForwardProxy("me:pa@ss") as proxy:
        way = f"127.0.0.1:{proxy.port}"
        with gateway(url, upstream_api_key=KEY, http_proxy=f"http://me:pa%40ss@{way}") as running:
            until(lambda: why(running) == "ready", 10, why(running))
            assert running.chat(messages=HELLO, model="emulated", max_tokens=2)[0] == 200
        assert f"POST http://engine.test:{keyed_engine}/v1/chat/completions" in proxy.seen[-1].line
        with gateway(url, upstream_api_key=KEY, http_proxy=f"http://{way}") as running:
            until(lambda: "the proxy before it wants a user name" in why(running), 10, why(running))
            assert running.chat(messages=HELLO)[0] == 502


@pytest.mark.fault(96)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"upstream_api_key": "wrong"}, "it refuses the gateway's key (UPSTREAM_API_KEY)"),
        ({"upstream_api_key": None}, "it wants a key, and the gateway has none (UPSTREAM_API_KEY)"),
        ({"ssl_cert_file": None}, "its TLS certificate is not trusted"),
        ({"ssl_cert_file": "/nowhere/ca.pem"}, "(SSL_CERT_FILE=/nowhere/ca.pem is not there)"),
    ],
)
def test_what_is_wrong_is_told(front: Front, own_ca: Authority, settings: dict[str, Any], said: str) -> None:
    """By /ready, /health and once by the log; a request gets a 502 of the engine's, not a 401 of its own."""
    with before(front, own_ca, probe_interval_s=0.05, **settings) as running:
        assert said in why(running)
        assert said in running.get("/health")[2].decode()
        status, _, body = running.chat(messages=HELLO, model="emulated", max_tokens=2)
        assert status == 502
        assert not found_in(body + running.log().encode())
        ages = [json.loads(running.get("/health")[2])["engine"]["age_s"]]

        def probed_again() -> bool:
            ages.append(json.loads(running.get("/health")[2])["engine"]["age_s"])
            return bool(ages[-1] < ages[-2])

        until(probed_again, 10, "another probe")
        (line,) = log_of(running, "engine cannot be used")
        assert said in line["why"]


@pytest.mark.fault(96)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://team:wrong@{}", "it refuses the user name and password in VLLM_BASE_URL"),
        ("http://{}", "it wants a user name and password (VLLM_BASE_URL="),
    ],
)
def test_a_login_that_is_refused(keyed_engine: int, url: str, said: str) -> None:
    """Told apart from a refused key."""
    with (
        Front(keyed_engine, login="a:b") as front,
        gateway(url.format(f"127.0.0.1:{front.port}"), upstream_api_key=KEY) as running,
    ):
        until(lambda: said in why(running), 10, why(running))
        assert said in json.loads(running.chat()[2])["error"]["message"]


class Answering(ScriptedEngine):
    """An engine whose control routes answer as told; whole answers, by path."""

    def __init__(self, answers: dict[str, str], otherwise: str) -> None:
        super().__init__()
        self.answers, self.otherwise = answers, otherwise

    def control_answer(self, path: str) -> str:
        return self.answers.get(path, self.otherwise)


MODELS = whole(200, '{"object": "list", "data": [{"id": "llama3"}]}')


@pytest.mark.fault(98)
@pytest.mark.parametrize(
    ("answers", "otherwise"),
    [
        ({"/v1/models": MODELS}, whole(404, "404 page not found")),
        ({"/v1/models": MODELS}, whole(200, PAGE)),
        ({"/v1/models": MODELS}, whole(200, '{"error": "Unexpected endpoint or method. (GET /health)"}')),
        ({}, whole(404, '{"detail": "Not Found"}')),
        ({"/health": whole(200, "")}, whole(404, '{"detail": "Not Found"}')),
    ],
    ids=["Ollama", "web pages", "LM Studio", "chat only", "no list"],
)
def test_an_engine_need_not_have_every_route(answers: dict[str, str], otherwise: str) -> None:
    """Ready as long as it takes chats, and its list is shown where it has one."""
    with Answering(answers, otherwise) as engine, gateway(engine.url) as running:
        until(lambda: why(running) == "ready", 10, why(running))
        assert running.chat()[0] == 200
        status, _, body = running.get("/v1/models")
        assert (status == 200 and "llama3" in body.decode()) or "/v1/models" not in answers
