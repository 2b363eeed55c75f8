"""Processes that keep a core busy for so long, when they are told to, and wait to be ended."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_LOOP = """
import os, subprocess, sys, time
core, used_s, nested = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, {core})
if nested:
    print("ready", flush=True)
    subprocess.run([sys.executable, "-c", sys.argv[4], str(core), str(used_s), "0", ""], stdout=2)
    print("used", flush=True)
    os.read(0, 1)
else:
    print("ready", flush=True)
    os.read(0, 1)
    while time.process_time() < used_s:
        pass
    print("used", flush=True)
    os.read(0, 1)
"""
"""Bytes of the standard input are orders, read one at a time: a child of it reads on where it stopped."""


class Busy:
    """A program that, when it goes on, uses its seconds of CPU time on one core and says so.

    `nested`: a child of it does the work and ends when it is told to go on once more; it has been waited for
    when the program says so.
    """

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def go_on(self, steps: int = 1) -> None:
        """So many orders."""
        assert self._popen.stdin is not None
        self._popen.stdin.write("\n" * steps)
        self._popen.stdin.flush()

    def wait_used(self) -> None:
        """Return when it has used its time."""
        assert self._popen.stdout is not None
        assert self._popen.stdout.readline() == "used\n"


@contextlib.contextmanager
def running(core: int, used_s: float, *, nested: bool = False) -> Iterator[Busy]:
    """One that is ready, on this core."""
    argv = [sys.executable, "-c", _LOOP, str(core), str(used_s), str(int(nested)), _LOOP]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=null, text=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == "ready\n"
        try:
            yield Busy(popen)
        finally:
            popen.kill()
