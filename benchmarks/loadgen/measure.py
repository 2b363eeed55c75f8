"""Running one generator once: CPU of its process tree, peak memory, time to its first request, what it
measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.loadgen.generators import OFFLINE, ROOT, Generator, Quantiles, Work
from benchmarks.loadgen.server import Server, serving

CLIENT_CPU, SERVER_CPU = 0, 1
LIMIT_S = 240


@dataclass
class Run:
    """cpu_s: user and system time of the process and its descendants. rss_mb: peak of the tree's sum."""

    cpu_s: float
    rss_mb: float
    first_request_s: float
    server: Server
    found: Quantiles


def core(cpu: int) -> list[str]:
    """Command prefix: on this core."""
    return ["taskset", "-c", str(cpu)]


def run(generator: Generator, work: Work, ttft_s: float, gap_s: float) -> Run:
    """Raises RuntimeError with the last lines of output when the generator failed or did not send
    everything."""
    folder = Path(tempfile.mkdtemp(prefix="loadgen-"))
    try:
        with serving(ttft_s, gap_s, folder, core(SERVER_CPU)) as server:
            aimed = Work(server.url, work.requests, work.chunks, work.streams, work.rate_per_s, work.seconds)
            command = [*core(CLIENT_CPU), *generator.command(aimed, folder)]
            cpu_s, rss_mb, began_s = _run(
                command, folder / "output.log", OFFLINE if generator.offline else {}
            )
        if len(server.received_s) < 0.5 * work.requests:
            lines = (folder / "output.log").read_text().splitlines()[-6:]
            raise RuntimeError(
                f"{generator.name}: {len(server.received_s)} of {work.requests} requests: {lines}"
            )
        return Run(cpu_s, rss_mb, min(server.received_s) - began_s, server, generator.read(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], log: Path, more: dict[str, str]) -> tuple[float, float, float]:
    began_s = time.monotonic()
    with log.open("wb") as output:
        environment = {**os.environ, **more}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    killer = threading.Timer(LIMIT_S, process.kill)
    killer.start()
    _, _, usage = os.wait4(process.pid, 0)
    killer.cancel()
    process.returncode = 0
    watcher.join(1)
    return usage.ru_utime + usage.ru_stime, max(peak[0], usage.ru_maxrss / 1024), began_s


def _watch(pid: int, peak: list[float]) -> None:
    while True:
        try:
            parent = psutil.Process(pid)
            family = [parent, *parent.children(recursive=True)]
            peak[0] = max(peak[0], sum(p.memory_info().rss for p in family) / 2**20)
        except psutil.Error:
            return
        time.sleep(0.25)
