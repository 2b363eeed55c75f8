"""The emulator profile for real: built, started, used, looked at from inside, taken down without a trace."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.stack.ports import free_port
from tests.compose.containers import Engine, find, why_not

pytestmark = pytest.mark.prove
PROJECT = "headroom-test"
# Named one by one: where Podman runs no health checks, waiting for a healthy dependency never ends.
SERVICES = ("emulator", "api", "prometheus")
OURS = ("emulator", "api", "locust-master", "locust-worker")
PORT_NAMES = ("GATEWAY_PORT", "VLLM_PORT", "PROMETHEUS_PORT", "LOCUST_PORT")
ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "compose" / "targets"
SWEEP = (
    *("--max-active", "4", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=1s"),
    *("--design", "grid", "--measure", "5s", "--warm-up", "1s", "--min-requests", "10"),
)
LOOK = Path(__file__).with_name("look_inside.py").read_text()


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """Published ports that nobody else uses."""
    return {name: free_port() for name in PORT_NAMES}


@pytest.fixture(scope="module")
def stack(ports: dict[str, int]) -> Iterator[Engine]:
    """The stack, up; afterwards down, with its volumes."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    engine = find(PROJECT, ports)
    profiles = ("--profile", "emulator", "--profile", "load")
    began = time.monotonic()
    engine.compose_run(*profiles, "build", *SERVICES, "locust-master")
    built = time.monotonic()
    try:
        engine.compose_run(*profiles, "up", "-d", "--no-deps", *SERVICES)
        answers(f"http://127.0.0.1:{ports['GATEWAY_PORT']}/ready")
        print(f"\nbuilt in {built - began:.0f} s, ready {time.monotonic() - built:.0f} s after `up`")
        yield engine
    finally:
        engine.compose_run(*profiles, "down", "-v", "-t", "10", check=False)


def answers(url: str, deadline_s: float = 90) -> httpx.Response:
    """The first answer with status 200.

    Raises:
        AssertionError: there was none until the deadline.
    """
    until, last = time.monotonic() + deadline_s, "nothing"
    while time.monotonic() < until:
        try:
            reply = httpx.get(url, timeout=5)
            if reply.status_code == 200:
                return reply
            last = f"{reply.status_code} {reply.text[:200]}"
        except httpx.HTTPError as error:
            last = repr(error)
        time.sleep(0.3)
    raise AssertionError(f"{url} gave {last} for {deadline_s:g} s")


def eventually(question: Callable[[], Any], deadline_s: float = 60) -> Any:
    """The first true answer; the last one when the deadline has passed."""
    until = time.monotonic() + deadline_s
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(0.3)
    return answer


def container(engine: Engine, service: str) -> str:
    """The name of the service's (first) container; docker joins with "-", podman-compose with "_"."""
    project = engine.environment["COMPOSE_PROJECT_NAME"]
    return next(
        name for name in sorted(engine.names()) if name.replace("_", "-").startswith(f"{project}-{service}-")
    )


def test_a_chat_completion_passes_through(stack: Engine, ports: dict[str, int]) -> None:
    """A streamed answer of the length asked for, from an engine that is found by the name "vllm"."""
    url = f"http://127.0.0.1:{ports['GATEWAY_PORT']}/v1/chat/completions"
    body = {
        "model": "emulated",
        "stream": True,
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "hi"}],
    }
    with httpx.stream("POST", url, json=body, timeout=30) as reply:
        lines = [line for line in reply.iter_lines() if line.startswith("data: ")]
    assert reply.status_code == 200
    assert reply.headers["x-request-id"]
    assert lines[-1] == "data: [DONE]"
    deltas = [json.loads(line[6:])["choices"] for line in lines[:-1]]
    assert sum(1 for choices in deltas if choices and choices[0]["delta"].get("content")) >= 1


def test_every_prometheus_target_is_up(stack: Engine, ports: dict[str, int]) -> None:
    """Gateway, engine and Prometheus itself are scraped, nothing else is, and the rules are loaded."""
    url = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}/api/v1"
    answers(url.removesuffix("/api/v1") + "/-/ready")

    def health() -> dict[str, str]:
        targets = httpx.get(f"{url}/targets", timeout=5).json()["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in targets}

    wanted = {"gateway": "up", "engine": "up", "prometheus": "up"}
    assert eventually(lambda: health() == wanted, 40), health()
    groups = httpx.get(f"{url}/rules", timeout=5).json()["data"]["groups"]
    assert {group["name"] for group in groups} >= {"gateway", "engine", "gpu", "slo", "alerts-gateway"}


def test_two_locust_workers_drive_it(stack: Engine, ports: dict[str, int]) -> None:
    """A run started in the web UI of the master is served by both workers, and Prometheus sees it."""
    stack.compose_run("--profile", "load", "up", "-d", "--no-deps", "locust-master", "locust-worker")
    web = f"http://127.0.0.1:{ports['LOCUST_PORT']}"
    answers(web)
    eventually(lambda: len(httpx.get(f"{web}/stats/requests", timeout=5).json().get("workers", [])) == 2)
    form = {"user_count": 2, "spawn_rate": 2, "scenario": "sustained", "rate": 4, "warmup": 0, "duration": 8}
    started = httpx.post(f"{web}/swarm", data=form, timeout=30).json()
    assert started["success"], started
    prometheus = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}/api/v1/query"

    def ended() -> float:
        query = {"query": 'sum(gateway_requests_total{route="chat"})'}
        found = httpx.get(prometheus, params=query, timeout=5).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    assert eventually(lambda: ended() > 20, 60), ended()
    stats = httpx.get(f"{web}/stats/requests", timeout=5).json()
    assert len(stats["workers"]) == 2, stats["workers"]


def test_the_stack_is_swept(stack: Engine, ports: dict[str, int], tmp_path: Path) -> None:
    """`--engine compose`: one cell through the gateway's admin API, series from the stack's Prometheus, which
    has also scraped the load generator on the host."""
    eventually(lambda: idle(ports))
    (tmp_path / ".env").write_text("GATEWAY_ADMIN_TOKEN=token-of-the-test\n")
    (tmp_path / "targets").symlink_to(TARGETS)
    command = [
        sys.executable,
        "-m",
        "experiments.sweep",
        "--engine",
        "compose",
        "--out",
        str(tmp_path / "night"),
    ]
    command += ["--compose-env", str(tmp_path / ".env"), *SWEEP]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=dict(stack.environment), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    print(f"\nswept in {time.monotonic() - began:.0f} s")
    (path,) = (tmp_path / "night").glob("cells/*/summary.json")
    summary = json.loads(path.read_text())
    assert summary["rates"]["goodput_per_s"] > 0
    assert summary["agreement"], "quantiles of the stack's Prometheus"
    assert json.loads((tmp_path / "night" / "run.json").read_text())["engine"]["provider"] == "emulator"
    assert [entry.name for entry in TARGETS.iterdir()] == [".gitignore"]
    if "cannot reach the load generators" not in done.stderr:
        query = {"query": 'max_over_time(loadgen_run_info{run="night"}[5m])'}
        prometheus = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}/api/v1/query"
        assert httpx.get(prometheus, params=query, timeout=5).json()["data"]["result"]


def idle(ports: dict[str, int]) -> bool:
    """Whether the gateway serves nobody now."""
    page = httpx.get(f"http://127.0.0.1:{ports['GATEWAY_PORT']}/metrics", timeout=5).text
    return "\ngateway_active 0" in page


@pytest.mark.parametrize("service", OURS)
def test_what_a_container_may_do(stack: Engine, service: str) -> None:
    """From inside: not root, no capability now or later, and almost nothing to write to."""
    seen = json.loads(stack.run("exec", container(stack, service), "python", "-c", LOOK))
    assert seen["uid"] == "10001"
    assert int(seen["capabilities"], 16) == 0
    assert int(seen["bounding"], 16) == 0
    assert seen["no_new_privileges"] == "1"
    roots = {folder for folder in seen["writable"] if Path(folder).parent.as_posix() not in seen["writable"]}
    # Podman adds its own in-memory folders to every read-only container.
    own = {"/opt/headroom/runs"} if service.startswith("locust") else set()
    own |= {"/var/lib/headroom"} if service == "api" else set()  # recordings, off unless RECORD_DIR is set
    assert roots <= {"/tmp", "/var/tmp", "/run"} | own


def test_nothing_is_published_beyond_loopback(stack: Engine, ports: dict[str, int]) -> None:
    """Seen from the machine's other address, no port of the stack is there."""
    for name in stack.names():
        published = json.loads(stack.run("inspect", name))[0]["NetworkSettings"]["Ports"] or {}
        bindings = [binding for found in published.values() for binding in found or []]
        assert all(binding["HostIp"] == "127.0.0.1" for binding in bindings), name
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    for name, port in ports.items():
        with socket.socket() as caller:
            caller.settimeout(2)
            assert caller.connect_ex((address, port)) != 0, f"{name} answers on {address}"


def test_down_leaves_nothing(stack: Engine) -> None:
    """No container, network or volume of the project is left. Runs last."""
    stack.compose_run("--profile", "emulator", "--profile", "load", "down", "-v", "-t", "10")
    assert stack.names() == []
    for kind in ("network", "volume"):
        left = stack.run(kind, "ls", "--format", "{{.Name}}").split()
        assert not [name for name in left if name.startswith(PROJECT)], kind
