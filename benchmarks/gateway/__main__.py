"""Side by side: `python -m benchmarks.gateway [--rounds 5] [--seconds 4] [--only NAME …] [--json FILE]
[--write]`.

Each round starts every peer anew, one at a time, in an order that rotates, and measures three workloads plus
memory. CPU is time on a CPU of the peer's whole process tree over the measured window, divided by what
passed through in it. `--write` puts the table into docs/benchmarks-gateway.md.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gateway.peers import FULL_AT, PEERS, ROOT, Peer
from benchmarks.gateway.report import REFUSED, page

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


Cores = tuple[int, ...]

STREAMED = Workload("64 streams, 10 ms gaps", 64, STREAM, "chunks")
WHOLE = Workload("non-streamed 1 KB", 32, NON_STREAM, "requests")
WORKLOADS = (
    WHOLE,
    STREAMED,
    Workload("32 streams, no gaps", 32, NO_GAP, "chunks"),
)


def apart() -> tuple[Cores, Cores]:
    """Cores for the peer, and for engine and load: they do not take turns on one, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores[-1:]), tuple(cores[:-1] or cores)


def free_port() -> int:
    """A free port whose successor is free too."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def process(
    command: list[str], env: dict[str, str] | None = None, log: Path | None = None, cores: Cores = ()
) -> Iterator[psutil.Process]:
    """A child with its whole tree ended on exit. cores: the only ones that it may use; () for all."""
    with (log or Path("/dev/null")).open("ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=ROOT)
    tree = psutil.Process(child.pid)
    if cores:
        tree.cpu_affinity([*cores])
    try:
        yield tree
    finally:
        everyone = [*tree.children(recursive=True), tree] if tree.is_running() else []
        for one in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        child.wait()


def wait_for_answer(port: int, tree: psutil.Process, path: str = "/v1/models", within_s: float = 90) -> None:
    """Returns when GET is answered with anything below 500."""
    deadline_s = time.monotonic() + within_s
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"authorization": "Bearer sk-bench"}
    )
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
            if answer.status < 500:
                return
        if time.monotonic() > deadline_s or not tree.is_running() or tree.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"no answer on port {port}")
        time.sleep(0.1)


def cpu_s(tree: psutil.Process) -> float:
    """Time on a CPU of all threads of the tree, by the scheduler's own account (the kernel's user and system
    times count whole ticks).
    """
    total_ns = 0
    for one in [tree, *tree.children(recursive=True)]:
        for stat in Path(f"/proc/{one.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total_ns += int(stat.read_text().split()[0])
    return total_ns / 1e9


def wait_until_idle(tree: psutil.Process, within_s: float = 20.0) -> None:
    """Returns when the tree used no more than 5 % of a core for half a second."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        before_s = cpu_s(tree)
        time.sleep(0.5)
        if cpu_s(tree) - before_s <= 0.025:
            return


def rss_bytes(tree: psutil.Process) -> int:
    """Resident memory of the tree."""
    return sum(one.memory_info().rss for one in [tree, *tree.children(recursive=True)])


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


def main() -> int:
    """Runs the rounds and prints the table."""
    flags = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__.splitlines()[0])
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--seconds", type=float, default=4.0)
    flags.add_argument("--only", nargs="*", default=None, help="names of peers")
    flags.add_argument("--json", type=Path, default=None)
    flags.add_argument("--write", action="store_true")
    options = flags.parse_args()
    peers = [peer for peer in PEERS if options.only is None or peer.name in options.only]
    for peer in peers:
        peer.provide()
    rounds: list[dict[str, Any]] = []
    of_peer, of_the_others = apart()
    os.sched_setaffinity(0, of_the_others)
    for number in range(options.rounds):
        engine_port = free_port()
        command = [sys.executable, "-m", "benchmarks.gateway.engine", str(engine_port)]
        with process(command) as engine:
            wait_for_answer(engine_port, engine)
            results: dict[str, Any] = {}
            turn = number % len(peers)
            for peer in [*peers[turn:], *peers[:turn]]:
                try:
                    results[peer.name] = one_peer(peer, engine, engine_port, options.seconds, of_peer)
                except RuntimeError as error:
                    results[peer.name] = {"failed": str(error)}
                print(
                    f"round {number + 1}: {peer.name}: {json.dumps(results[peer.name])}",
                    file=sys.stderr,
                    flush=True,
                )
        rounds.append(results)
    text = page(rounds, [peer.name for peer in peers])
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(rounds, indent=1))
    if options.write:
        (ROOT / "docs" / "benchmarks-gateway.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
