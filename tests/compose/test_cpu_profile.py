"""The cpu profile for real: vLLM in its container answers through the gateway, and may do as little."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import httpx
import pytest

from experiments.stack.ports import free_port
from tests.compose.containers import Engine, find, why_not
from tests.compose.test_stack_runs import LOOK, answers, container

pytestmark = pytest.mark.prove
PROJECT = "headroom-cpu-test"
IMAGE = "localhost/headroom-vllm-cpu"
SERVICES = ("vllm-cpu", "api")
PORTS = ("GATEWAY_PORT", "VLLM_PORT")
READY_S = 420.0


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """Published ports that nobody else uses."""
    return {name: free_port() for name in PORTS}


@pytest.fixture(scope="module")
def stack(ports: dict[str, int]) -> Iterator[Engine]:
    """vLLM and gateway, up; afterwards down."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    engine = find(PROJECT, ports)
    if IMAGE not in engine.run("images", "--format", "{{.Repository}}") and not os.environ.get(
        "BUILD_VLLM_IMAGE"
    ):
        pytest.skip(f"the image {IMAGE} is not built (4 GB, some minutes): BUILD_VLLM_IMAGE=1 builds it")
    if os.environ.get("BUILD_VLLM_IMAGE"):
        engine.compose_run("--profile", "cpu", "build", "vllm-cpu", timeout_s=3000)
    engine.compose_run("--profile", "cpu", "build", "api")
    try:
        engine.compose_run("--profile", "cpu", "up", "-d", "--no-deps", *SERVICES)
        answers(f"http://127.0.0.1:{ports['GATEWAY_PORT']}/ready", READY_S)
        yield engine
    finally:
        engine.compose_run("--profile", "cpu", "down", "-v", "-t", "10", check=False)


def test_the_real_engine_answers_through_the_gateway(stack: Engine, ports: dict[str, int]) -> None:
    """As many tokens as were asked for, counted by vLLM itself."""
    body = {"model": "emulated", "max_tokens": 8, "ignore_eos": True}
    body |= {"messages": [{"role": "user", "content": "the house by the sea"}]}
    url = f"http://127.0.0.1:{ports['GATEWAY_PORT']}/v1/chat/completions"
    reply = httpx.post(url, json=body, timeout=120)
    assert reply.status_code == 200, reply.text
    assert reply.json()["usage"]["completion_tokens"] == 8
    assert "vllm-0.32.0" in reply.json()["system_fingerprint"]


def test_what_vllm_may_do(stack: Engine) -> None:
    """Not root, no capability now or later, and only its in-memory folders to write to."""
    seen = json.loads(stack.run("exec", container(stack, "vllm-cpu"), "python", "-c", LOOK, timeout_s=120))
    assert seen["uid"] == "10001"
    assert int(seen["capabilities"], 16) == int(seen["bounding"], 16) == 0
    assert seen["no_new_privileges"] == "1"
    assert all(folder.startswith(("/tmp", "/var/tmp", "/run")) for folder in seen["writable"])
