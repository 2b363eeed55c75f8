"""What each peer is asked to do, and what is measured while it does."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gateway.peers import FULL_AT, Peer
from benchmarks.gateway.processes import (
    ROOT,
    Cores,
    cpu_s,
    free_port,
    process,
    rss_bytes,
    wait_for_answer,
    wait_until_idle,
)
from benchmarks.gateway.report import REFUSED

MESSAGES = '"model":"bench","messages":[{"role":"user","content":"' + "y" * 200 + '"}]'
NON_STREAM = "{" + MESSAGES + "}"
STREAM = "{" + MESSAGES + ',"stream":true,"max_tokens":50,"seed":10}'
NO_GAP = "{" + MESSAGES + ',"stream":true,"max_tokens":64,"seed":0}'
OPEN = "{" + MESSAGES + ',"stream":true,"max_tokens":100000,"seed":500}'


@dataclass(frozen=True, slots=True)
class Workload:
    """connections: closed-loop askers; per: what CPU is divided by (`requests` or `chunks`)."""

    name: str
    connections: int
    body: str
    per: str


STREAMED = Workload("64 streams, 10 ms gaps", 64, STREAM, "chunks")
WHOLE = Workload("non-streamed 1 KB", 32, NON_STREAM, "requests")
WORKLOADS = (
    WHOLE,
    STREAMED,
    Workload("32 streams, no gaps", 32, NO_GAP, "chunks"),
)


def measure(tree: psutil.Process, port: int, workload: Workload, seconds: float) -> dict[str, float]:
    """One workload against one target."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = [
        sys.executable,
        "-m",
        "benchmarks.gateway.load",
        url,
        str(workload.connections),
        str(seconds),
        workload.body,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        assert load.stdout.readline().strip() == "go"
        before_s = cpu_s(tree)
        result: dict[str, Any] = json.loads(load.stdout.readline())
        spent_s = cpu_s(tree) - before_s
    passed = result[workload.per]
    first = result["first_s"]
    if not passed or result["ok"] < result["requests"]:
        raise RuntimeError(
            f"{workload.name}: {result['requests']} requests, {result['ok']} ok, {result['lost']} lost"
        )
    measured = {"cpu_us": spent_s / passed * 1e6, "per_s": passed / (result["ended_s"] - result["started_s"])}
    if first:
        measured["first_ms_p50"] = first[len(first) // 2] * 1000
        measured["first_ms_p99"] = first[int(len(first) * 0.99)] * 1000
    return measured


def memory_kb(tree: psutil.Process, port: int, streams: int = 1000) -> float | None:
    """Resident kB per open stream: the growth when 1,000 are opened, by their number. None when they did not
    all get a chunk.
    """
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    before = rss_bytes(tree)
    command = [sys.executable, "-m", "benchmarks.gateway.load", url, str(streams), "4", OPEN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        load.stdout.readline()
        time.sleep(2)
        grown = rss_bytes(tree) - before
        result: dict[str, Any] = json.loads(load.stdout.readline())
    return grown / streams / 1000 if result["chunks"] >= streams else None


def refusals(peer: Peer, engine_port: int, seconds: float, cores: Cores) -> dict[str, float]:
    """What a refusal costs when all slots are held by streams, and how many a second were made. {} for a peer
    that has no such limit.
    """
    if peer.full is None:
        return {}
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    load = [sys.executable, "-m", "benchmarks.gateway.load", url]
    holding = [*load, str(FULL_AT), str(seconds + 5), OPEN]
    asking = [*load, "64", str(seconds), NON_STREAM]
    with tempfile.TemporaryDirectory() as folder:
        command = peer.full(port, engine_port, Path(folder))
        env = {**os.environ, **dict(peer.env)}
        with process(command, env, Path(folder) / "log", cores) as tree:
            wait_for_answer(port, tree)
            with process(holding):
                time.sleep(2.0)  # until the last of them has its slot
                with subprocess.Popen(asking, cwd=ROOT, stdout=subprocess.PIPE, text=True) as refused:
                    assert refused.stdout is not None
                    refused.stdout.readline()
                    before_s = cpu_s(tree)
                    result: dict[str, Any] = json.loads(refused.stdout.readline())
                    spent_s = cpu_s(tree) - before_s
    if result["ok"]:
        raise RuntimeError(f"{peer.name}: {result['ok']} of {result['requests']} were not refused")
    return {"cpu_us": spent_s / result["requests"] * 1e6, "per_s": result["requests"] / seconds}


def idle_kb(tree: psutil.Process, port: int, connections: int = 2000) -> float:
    """Resident kB of each connection that was used once and is kept open."""
    request = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
    before = rss_bytes(tree)
    with contextlib.ExitStack() as kept:
        for _ in range(connections):
            client = kept.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(request)
            client.recv(65536)
        return (rss_bytes(tree) - before) / connections / 1000


def one_peer(
    peer: Peer, engine: psutil.Process, engine_port: int, seconds: float, cores: Cores
) -> dict[str, dict[str, float]]:
    """Everything about one peer in one round."""
    port = free_port()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        env = {**os.environ, **dict(peer.env)}
        command = peer.command(port, engine_port, folder)
        with process(command, env, folder / "log", cores) as tree:
            wait_for_answer(port, tree)
            with contextlib.suppress(RuntimeError):
                measure(tree, port, WHOLE, 2.0)  # lazy imports, first connections
            for workload in WORKLOADS:
                wait_until_idle(tree)
                if workload is STREAMED:
                    # Right before the peer: the time it adds is compared under the same conditions.
                    results["direct"] = measure(engine, engine_port, STREAMED, 2.0)
                results[workload.name] = measure(tree, port, workload, seconds)
            wait_until_idle(tree)
            kb = memory_kb(tree, port)
            results["memory"] = {} if kb is None else {"kb_per_stream": kb}
        # Memory that streams have given back would be used again: a process of its own.
        with process(command, env, folder / "log") as tree:
            wait_for_answer(port, tree)
            results["memory"]["kb_per_idle"] = idle_kb(tree, port)
    results[REFUSED] = refusals(peer, engine_port, seconds, cores)
    return results
