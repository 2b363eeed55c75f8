"""A measuring process, and how it is told what to do: a line on its stdin, a line of JSON on its stdout."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from benchmarks.gateway.processes import ROOT

Figures = dict[str, Any]
Act = Callable[[list[str]], Awaitable[Figures]]


class Child:
    """The parent's side."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen

    def ask(self, *words: object) -> Figures:
        """Tells it, and waits for what it found. Raises RuntimeError when it has ended."""
        self.tell(*words)
        return self.told()

    def tell(self, *words: object) -> None:
        """Tells it; `told` is owed."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(" ".join(map(str, words)) + "\n")
        self._popen.stdin.flush()

    def told(self) -> Figures:
        """What it found."""
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._popen.args!r} ended")
        return dict(json.loads(line))


@contextlib.contextmanager
def child(module: str, *arguments: object) -> Iterator[Child]:
    """Starts `python -m module arguments`; ended on exit."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    popen = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Child(popen)
    finally:
        popen.kill()
        popen.wait()
        for pipe in (popen.stdin, popen.stdout):
            if pipe is not None:
                pipe.close()


async def obey(acts: dict[str, Act]) -> None:
    """The child's side: until its stdin ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, *more = line.decode().split()
        print(json.dumps(await acts[word](more)), flush=True)


def before_others(pid: int = 0) -> None:
    """Real-time priority where that is allowed, for this process or another one: what it times must not wait
    behind the load.
    """
    with contextlib.suppress(PermissionError, AttributeError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))


def spread_ms(seconds: Sequence[float]) -> Figures:
    """p50, p99 and the largest, in milliseconds."""
    values = sorted(seconds)
    if not values:
        return {}
    at = {"p50": len(values) // 2, "p99": int(len(values) * 0.99), "max": -1}
    return {name: round(values[place] * 1e3, 3) for name, place in at.items()}
