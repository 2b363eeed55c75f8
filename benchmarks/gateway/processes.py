"""Processes of a benchmark: started on cores of their own, measured as whole trees, always ended."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
Cores = tuple[int, ...]


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
