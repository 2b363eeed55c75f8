"""Clients that people use: the OpenAI SDK and curl, unchanged, against the real process."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import SSE_HEAD, ScriptedEngine, chunk, event
from tests.gateway.stand import Raw, post

ASK: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[GatewayProcess, ScriptedEngine]]:
    with (
        ScriptedEngine(models=("tiny",)) as engine,
        gateway(engine.url, max_active=1, queue_max=0) as running,
    ):
        yield running, engine


@pytest.fixture
def sdk(served: tuple[GatewayProcess, ScriptedEngine]) -> Iterator[OpenAI]:
    with OpenAI(base_url=served[0].url + "/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_sdk_gets_an_answer(sdk: OpenAI) -> None:
    """Not streamed: text and usage."""
    answer = sdk.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "hello"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2


def test_the_sdk_gets_a_stream(sdk: OpenAI) -> None:
    """Streamed: the pieces; with include_usage also the usage."""
    pieces = [piece.choices[0].delta.content for piece in sdk.chat.completions.create(**ASK, stream=True)]
    assert "".join(piece or "" for piece in pieces) == "hello"
    events = list(sdk.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert events[-1].usage is not None
    assert events[-1].usage.total_tokens == 5


def test_the_sdk_lists_models(sdk: OpenAI, served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """The list and one of it."""
    until(lambda: served[0].get("/v1/models")[0] == 200)
    assert [model.id for model in sdk.models.list()] == ["tiny"]
    assert sdk.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("other")


def test_the_sdk_understands_our_errors(sdk: OpenAI, served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """Each status is the SDK's own exception, with our message, type, param and code."""
    with pytest.raises(openai.BadRequestError) as bad:
        sdk.chat.completions.create(**ASK, n=1000)
    assert (bad.value.param, bad.value.code, bad.value.type) == ("n", "invalid", "invalid_request_error")
    until(lambda: served[0].get("/v1/models")[0] == 200)
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.models.retrieve("other")
    assert (unknown.value.code, "tiny" in unknown.value.message) == ("model_not_found", True)
    with pytest.raises(openai.InternalServerError) as broken:
        sdk.chat.completions.create(**ASK, extra_body={"script": [["close"]]})
    assert broken.value.status_code == 502


def test_the_sdk_sees_a_broken_stream(sdk: OpenAI) -> None:
    """A stream that breaks off raises APIError with our message: it never ends in silence."""
    script = [["send", SSE_HEAD], ["send", chunk(event("a"))], ["wait", 0.02], ["close"]]
    stream = sdk.chat.completions.create(**ASK, stream=True, extra_body={"script": script})
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)


def test_the_sdk_retries_when_told(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """A 429 carries a wait that the SDK keeps to: the retry succeeds once the slot is free."""
    running, engine = served
    with (
        OpenAI(base_url=running.url + "/v1", api_key="none", max_retries=10) as client,
        contextlib.closing(Raw(running.port)) as busy,
    ):
        client.models.list()  # its first request takes a second where the machine is busy
        busy.send(post({"service_s": 1.0}))
        until(lambda: running.state()["active"] == 1)
        before = running.state()["outcomes"]
        assert client.chat.completions.create(**ASK).choices[0].message.content == "hello"
        after = running.state()["outcomes"]
        assert after["rejected_full"] > before["rejected_full"]
        assert busy.answer()[0] == 200
    assert engine.peak == 1


def test_a_cancelled_sdk_call_stops_the_engine(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """Closing a stream, or cancelling the task that waits for an answer, reaches the engine."""
    running, engine = served

    async def cancel() -> None:
        async with AsyncOpenAI(base_url=running.url + "/v1", api_key="none", max_retries=0) as client:
            call = asyncio.create_task(
                client.chat.completions.create(**ASK, extra_body={"script": [["hang"]]})
            )
            while not engine.running:  # noqa: ASYNC110 - the engine lives in another thread
                await asyncio.sleep(0.005)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(cancel())
    until(lambda: engine.running == 0, 2)
    with OpenAI(base_url=running.url + "/v1", api_key="none", max_retries=0) as client:
        script = [["send", SSE_HEAD], ["send", chunk(event("a"))], ["hang"]]
        stream = client.chat.completions.create(**ASK, stream=True, extra_body={"script": script})
        next(iter(stream))
        stream.close()
        until(lambda: engine.running == 0, 2)
    until(lambda: running.state()["active"] == 0, 2)


def test_what_open_webui_sends(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """Open WebUI lists models with a key it was given, then streams with fields of its own."""
    running, engine = served
    key = {"authorization": "Bearer sk-unused", "x-openwebui-user-name": "someone"}
    assert running.ask("GET", "/v1/models", None, key)[0] == 200
    fields = {
        **ASK,
        "stream": True,
        "stream_options": {"include_usage": True},
        "params": {},
        "session_id": "s",
        "chat_id": "c",
    }
    status, headers, body = running.ask("POST", "/v1/chat/completions", fields, key)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert b'"usage"' in body
    assert engine.seen[-1].fields == fields
    assert engine.seen[-1].headers["authorization"] == "Bearer sk-unused"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(served: tuple[GatewayProcess, ScriptedEngine]) -> None:
    """curl, streamed with -N, with a body large enough for `Expect: 100-continue`."""
    running, _ = served
    asked = {**ASK, "stream": True, "user": "x" * 2_000_000}
    started_s = time.monotonic()
    command = [
        "curl",
        "-sN",
        f"{running.url}/v1/chat/completions",
        "-H",
        "content-type: application/json",
        "-d",
        "@-",
    ]
    ended = subprocess.run(command, input=json.dumps(asked).encode(), capture_output=True, timeout=20)
    assert ended.returncode == 0
    assert ended.stdout.endswith(b"data: [DONE]\n\n")
    assert time.monotonic() - started_s < 10
