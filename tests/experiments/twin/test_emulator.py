"""The emulator over HTTP: vLLM's routes, answers, metrics and timing."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from experiments.stack.engine import Engine

Start = Callable[..., AbstractContextManager[Engine]]
STEP_S = 0.010


def body(output_tokens: int, words: int = 8, **more: Any) -> dict[str, Any]:
    """A chat request of `words` words that gets exactly `output_tokens` tokens."""
    message = {"role": "user", "content": " ".join(["word"] * words)}
    return {"messages": [message], "max_tokens": output_tokens, "ignore_eos": True, **more}


def metrics(url: str) -> dict[str, float]:
    """Every sample without buckets, by name."""
    page = httpx.get(f"{url}/metrics").raise_for_status().text
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return {sample.name: sample.value for sample in samples if not sample.name.endswith("_bucket")}


async def chunk_times(client: httpx.AsyncClient, output_tokens: int) -> tuple[float, list[float]]:
    """When the request was sent, and when each content chunk came."""
    sent_s, times = time.monotonic(), []
    asked = body(output_tokens, stream=True)
    async with client.stream("POST", "/v1/chat/completions", json=asked, timeout=60) as answer:
        async for delta in deltas(answer):
            times += [time.monotonic()] if delta.get("content") else []
    return sent_s, times


async def deltas(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The delta of each event that has choices."""
    async for line in answer.aiter_lines():
        if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
            yield choices[0]["delta"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One emulator for the tests that do not care about timing."""
    from experiments.stack import engine

    choice = engine.choose(
        "emulator", profile="exact", engine_args=["--set", "base_s=0.002", "--set", "max_model_len=500"]
    )
    with engine.running(choice, log_dir=tmp_path_factory.mktemp("emulator")) as served:
        yield served


def test_it_says_that_it_is_an_emulator(plain: Engine) -> None:
    """Label, owner and version cannot be taken for the real thing."""
    assert plain.label.startswith("EMULATOR")
    assert httpx.get(f"{plain.url}/v1/models").json()["data"][0]["owned_by"] == "emulator"
    assert "emulator" in httpx.get(f"{plain.url}/version").json()["version"]


def test_openais_own_client_can_use_it(plain: Engine) -> None:
    """Streamed and whole answers parse, have the asked length, and tell the usage."""
    client = openai.OpenAI(base_url=f"{plain.url}/v1", api_key="none")
    asked: dict[str, Any] = {"model": plain.model, "messages": [{"role": "user", "content": "one two three"}]}
    extra = {"ignore_eos": True}
    whole = client.chat.completions.create(**asked, max_tokens=7, extra_body=extra, n=2)
    assert [len(str(choice.message.content).split()) for choice in whole.choices] == [7, 7]
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (8, 14)
    streamed = client.chat.completions.create(
        **asked, max_tokens=5, extra_body=extra, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(streamed)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text.split()) == 5
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"


def test_usage_in_every_chunk(plain: Engine) -> None:
    """`continuous_usage_stats` counts up, token by token, from none in the chunk with the role."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    asked = body(4, stream=True, stream_options=options)
    text = httpx.post(f"{plain.url}/v1/chat/completions", json=asked).text
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert [event["usage"]["completion_tokens"] for event in events if event.get("usage")] == [
        0,
        1,
        2,
        3,
        4,
        4,
    ]


def test_tokenize_counts_as_the_answer_does(plain: Engine) -> None:
    """A prompt can be made to a token count: `/tokenize` and the usage agree."""
    asked = body(1, words=21)
    counted = httpx.post(f"{plain.url}/tokenize", json=asked).json()["count"]
    used = httpx.post(f"{plain.url}/v1/chat/completions", json=asked).json()["usage"]["prompt_tokens"]
    assert counted == used == 26


ROUTES: dict[str, tuple[dict[str, Any], int, int]] = {
    "/v1/responses": ({"input": "one two", "max_output_tokens": 3, "ignore_eos": True}, 7, 3),
    "/v1/messages": (
        {"messages": [{"role": "user", "content": "one two"}], "max_tokens": 3, "ignore_eos": True},
        7,
        3,
    ),
    "/v1/embeddings": ({"input": ["one", "two three"]}, 3, 0),
    "/v1/rerank": ({"query": "one", "documents": ["two", "three"]}, 4, 0),
    "/score": ({"text_1": "one", "text_2": ["two", "three"]}, 4, 0),
}


@pytest.mark.parametrize("path", ROUTES)
def test_other_apis_are_answered(plain: Engine, path: str) -> None:
    """With tokens by the same rule as chats, and as many as were asked for."""
    fields, prompt, output = ROUTES[path]
    answer = httpx.post(f"{plain.url}{path}", json={"model": plain.model, **fields}).raise_for_status().json()
    usage = answer["usage"]
    assert usage.get("input_tokens", usage.get("prompt_tokens")) == prompt
    assert usage.get("output_tokens", usage.get("completion_tokens", 0)) == output


@pytest.mark.parametrize(("path", "last"), [("/v1/responses", "completed"), ("/v1/messages", "message_stop")])
def test_named_events_come_one_by_one(plain: Engine, path: str, last: str) -> None:
    """A piece for each token, between what begins and ends the answer."""
    fields, _, output = ROUTES[path]
    asked = {"model": plain.model, **fields, "stream": True}
    lines = httpx.post(f"{plain.url}{path}", json=asked).raise_for_status().text.split("\n")
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert sum(event.endswith("delta") and event != "message_delta" for event in events) == output
    assert events[-1].endswith(last)
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [event["type"] for event in told] == events


def test_a_chat_is_counted_as_it_is_answered(plain: Engine) -> None:
    """By Anthropic's route too; and tokens become words again."""
    asked = {"model": plain.model, "messages": [{"role": "user", "content": "one two"}]}
    counted = httpx.post(f"{plain.url}/v1/messages/count_tokens", json=asked).json()
    assert counted["input_tokens"] == ROUTES["/v1/messages"][1]
    words = httpx.post(f"{plain.url}/detokenize", json={"tokens": [1, 2]}).json()["prompt"]
    assert len(words.split()) == 2
    wrong = httpx.post(f"{plain.url}/v1/messages", json={**asked, "max_tokens": 5, "model": "nobody"})
    assert (wrong.status_code, wrong.json()["type"]) == (404, "error")


def test_without_ignore_eos_an_answer_ends_by_itself(plain: Engine) -> None:
    """The length is drawn from the prompt: the same again the next time, `stop` when below max_tokens."""
    asked = body(400) | {"ignore_eos": False}
    first, second = (
        httpx.post(f"{plain.url}/v1/chat/completions", json=asked, timeout=30).json() for _ in range(2)
    )
    assert first["usage"] == second["usage"]
    reason = first["choices"][0]["finish_reason"]
    assert reason == ("stop" if first["usage"]["completion_tokens"] < 400 else "length")


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"messages": []}, 400, "at least one message"),
        ({"max_tokens": 3}, 400, "messages"),
        (body(0, max_completion_tokens=-1), 400, "max_tokens"),
        (body(1, words=600), 400, "maximum context length is 500"),
        (body(1, model="other"), 404, "`other` does not exist"),
    ],
)
def test_what_vllm_refuses_is_refused(plain: Engine, asked: dict[str, Any], status: int, words: str) -> None:
    """The status and the shape of the error are vLLM's."""
    answer = httpx.post(f"{plain.url}/v1/chat/completions", json=asked)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_counters_add_up(emulator: Start) -> None:
    """Tokens, requests and histogram counts after three requests are those of the requests."""
    with emulator("exact", "base_s=0.001") as engine:
        for output in (3, 4, 5):
            httpx.post(f"{engine.url}/v1/chat/completions", json=body(output)).raise_for_status()
        seen = metrics(engine.url)
    assert seen["vllm:generation_tokens_total"] == 12
    assert seen["vllm:prompt_tokens_total"] == 3 * 13
    assert seen["vllm:e2e_request_latency_seconds_count"] == 3
    assert seen["vllm:time_to_first_token_seconds_count"] == 3
    assert seen["vllm:inter_token_latency_seconds_count"] == 9
    assert seen["vllm:inter_token_latency_seconds_sum"] == pytest.approx(0.009, rel=1e-6)
    assert seen["vllm:iteration_tokens_total_count"] == seen["emulator:steps_total"] == 12
    assert seen["vllm:num_requests_running"] == seen["vllm:num_requests_waiting"] == 0


def test_a_client_that_hangs_up_frees_the_engine(emulator: Start) -> None:
    """Both streams end at once: the running one leaves the batch, the waiting one never enters it."""
    with emulator("exact", "max_num_seqs=1") as engine, httpx.Client(base_url=engine.url) as client:
        asked = body(5000, stream=True)
        with client.stream("POST", "/v1/chat/completions", json=asked) as running:
            lines = running.iter_lines()  # kept: httpx closes the answer when its iterator goes
            next(lines)
            with client.stream("POST", "/v1/chat/completions", json=asked):
                deadline = time.monotonic() + 10
                while metrics(engine.url)["vllm:num_requests_waiting"] < 1:
                    assert time.monotonic() < deadline
        while (seen := metrics(engine.url))["vllm:num_requests_running"] + seen["vllm:num_requests_waiting"]:
            assert time.monotonic() < deadline
        assert httpx.post(f"{engine.url}/v1/chat/completions", json=body(2)).status_code == 200
    assert seen["vllm:generation_tokens_total"] < 5000


def test_steps_are_booked_at_exact_times(emulator: Start) -> None:
    """However late this machine is, 100 tokens of 10 ms take 990 ms from the first to the last on the
    engine's
    own books: delays do not add up."""
    with emulator("exact") as engine:
        httpx.post(f"{engine.url}/v1/chat/completions", json=body(100), timeout=60).raise_for_status()
        seen = metrics(engine.url)
    assert seen["vllm:request_decode_time_seconds_sum"] == pytest.approx(99 * STEP_S, abs=1e-6)
    assert seen["vllm:request_inference_time_seconds_sum"] == pytest.approx(100 * STEP_S, abs=1e-6)


@pytest.mark.prove
def test_each_token_comes_when_the_model_says(emulator: Start) -> None:
    """One stream of 100 steps of 10 ms: the k-th token is due k steps after the request; delays do not
    add up.
    """

    async def run(url: str) -> list[float]:
        async with httpx.AsyncClient(base_url=url) as client:
            await chunk_times(client, 2)  # the connection
            sent_s, times = await chunk_times(client, 100)
        return [time_s - sent_s - STEP_S * (k + 1) for k, time_s in enumerate(times)]

    with emulator("exact") as engine:
        errors_s = asyncio.run(run(engine.url))
    assert len(errors_s) == 100
    assert abs(statistics.median(errors_s)) < 0.010
    assert abs(statistics.median(errors_s[-20:]) - statistics.median(errors_s[:20])) < 0.010


@pytest.mark.prove
def test_a_batch_shares_its_steps(emulator: Start) -> None:
    """Twenty streams at once take as long as one where the step time does not depend on the batch."""

    async def run(url: str) -> list[float]:
        async with httpx.AsyncClient(base_url=url) as client:
            runs = await asyncio.gather(*(chunk_times(client, 50) for _ in range(20)))
        return [times[-1] - sent_s for sent_s, times in runs]

    with emulator("exact") as engine:
        e2e_s = asyncio.run(run(engine.url))
    assert statistics.median(e2e_s) == pytest.approx(50 * STEP_S, abs=0.15)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["--profile", "h200"],
            2,
            "emulator profile 'h200' is not known; allowed: tiny-cpu, exact, calibrated:FILE",
        ),
        (["--profile", "calibrated:/no/file"], 2, "the profile /no/file cannot be read"),
        (["--set", "speed=9"], 2, "'speed' is not a key of a profile; allowed: name"),
        (["--set", "base_s=0"], 2, "--set base_s=0: Input should be greater than 0"),
        (["--port", "1", "--host", "203.0.113.1"], 1, "port 1 on 203.0.113.1 cannot be listened on"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], code: int, words: str) -> None:
    """Exit code 2 for the user's mistakes, 1 for the machine's, and no traceback."""
    command = [sys.executable, "-m", "experiments.twin.emulator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_calibrated_profile_is_read_from_its_file(tmp_path: Path, emulator: Start) -> None:
    """`calibrated:FILE` is a profile in JSON; what it does not say has defaults."""
    file = tmp_path / "profile.json"
    file.write_text(json.dumps({"name": "mine", "source": "a test", "base_s": 0.004, "num_gpu_blocks": 77}))
    with emulator(f"calibrated:{file}") as engine:
        assert engine.facts.num_gpu_blocks == 77
