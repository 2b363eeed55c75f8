"""The newest OpenAI and Anthropic SDKs at the new routes: what they raise for our refusals, and how they try
again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.asking.scenes import At
from tests.clients.played import play, play_all
from tests.gateway.apis import MESSAGES, RESPONSES, Api
from tests.gateway.process import GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import SSE_HEAD, ScriptedEngine, chunk
from tests.gateway.stand import Raw, post

pytestmark = pytest.mark.prove

SDKS = {"openai": RESPONSES, "anthropic": MESSAGES}
SCENES = ("whole", "stream")
RAISED = {
    "openai": {
        "full": "openai.RateLimitError",
        "unauthorized": "openai.AuthenticationError",
        "away": "openai.InternalServerError",
        "timeout": "openai.InternalServerError",
        "cut": "openai.APIError",
    },
    "anthropic": {
        "full": "anthropic.RateLimitError",
        "unauthorized": "anthropic.AuthenticationError",
        "away": "anthropic.OverloadedError",
        "timeout": "anthropic.OverloadedError",
        "cut": "anthropic.APIStatusError",
    },
}


@dataclass(frozen=True)
class Gateways:
    """full: one slot; waiting: and one place in the queue; alone: without an engine."""

    full: GatewayProcess
    waiting: GatewayProcess
    alone: GatewayProcess
    engine: ScriptedEngine


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    one = {"max_active": 1, "gateway_api_keys": "k"}
    with (
        ScriptedEngine() as engine,
        gateway(engine.url, queue_max=0, **one) as full,
        gateway(engine.url, queue_max=1, queue_timeout_s=0.2, **one) as waiting,
        gateway(f"http://127.0.0.1:{free_port()}") as alone,
    ):
        yield Gateways(full, waiting, alone, engine)


@contextmanager
def held(running: GatewayProcess, api: Api) -> Iterator[None]:
    """The only slot is taken."""
    client = Raw(running.port)
    client.send(post({**api.body, "script": [["hang"]]}, "authorization: Bearer k", path=api.path))
    until(lambda: running.state()["active"] == 1, 5)
    yield
    client.close()
    until(lambda: running.state()["active"] == 0, 5)


@pytest.mark.parametrize("sdk", SDKS)
def test_what_an_sdk_raises(gateways: Gateways, sdk: str) -> None:
    """Full, waited too long, no key, an engine that is away, and a stream that breaks off: for each the class
    that the SDK has for it.
    """
    api = SDKS[sdk]
    assert api.stream is not None
    begun = SSE_HEAD + chunk(api.stream.before + api.stream.pieces[0])
    cut: dict[str, Any] = {"script": [["send", begun], ["close"]]}
    places = {
        "full": At(gateways.full.url, "tiny", "k", SCENES),
        "timeout": At(gateways.waiting.url, "tiny", "k", SCENES),
        "unauthorized": At(gateways.full.url, "tiny", "wrong", SCENES),
        "away": At(gateways.alone.url, "tiny", "k", SCENES),
    }
    with held(gateways.full, api), held(gateways.waiting, api):
        told = dict(zip(places, play_all(sdk, list(places.values())), strict=True))
    told["cut"] = play(sdk, At(gateways.full.url, "tiny", "k", ("stream",), extra=cut))
    raised = {name: {heard[-1]["error"] for heard in scenes.values()} for name, scenes in told.items()}
    assert raised == {name: {kind} for name, kind in RAISED[sdk].items()}


@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_tries_again_when_it_was_told_to(gateways: Gateways, sdk: str) -> None:
    """A 429 with a wait: the SDK waits as long as it was told, asks again, and has its answer."""
    running, api = gateways.full, SDKS[sdk]
    script = {"script": [["send", _whole(api)]]}
    key = {"authorization": "Bearer k"}
    for _ in range(20):  # the rate at which slots come free, from which the wait is told
        assert running.ask("POST", api.path, {**api.body, **script}, key)[0] == 200
    refused, told_s = _refused(running), running.metric("gateway_retry_after_seconds_sum")
    at = At(running.url, "tiny", "k", ("whole",), retries=5, extra=script)
    with ThreadPoolExecutor(1) as pool:
        with held(running, api):
            asked = pool.submit(play, sdk, at)
            until(lambda: _refused(running) > refused, 60)
            refused_s = time.monotonic()
            told_s = running.metric("gateway_retry_after_seconds_sum") - told_s
            seen = len(gateways.engine.seen)
        until(lambda: len(gateways.engine.seen) > seen, 60)
        waited_s = time.monotonic() - refused_s
        (heard,) = asked.result().values()
    assert not heard[0].get("error"), heard
    assert waited_s > told_s - 0.3 > -0.2
    assert gateways.engine.seen[-1].path == api.path


def _refused(running: GatewayProcess) -> int:
    """How many so far; asked seldom, for an SDK is starting."""
    time.sleep(0.1)
    return int(running.state()["outcomes"]["rejected_full"])


def _whole(api: Api) -> str:
    length = len(api.answer.encode())
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    return head + api.answer
