"""Processes that keep a core busy for a while, and end by themselves."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

_LOOP = """
import os, subprocess, sys, time
core, used_s, nested = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, {core})
print("ready", flush=True)
if nested:
    sys.stdin.readline()
    argv = [sys.executable, "-c", sys.argv[4], str(core), str(used_s), "0", ""]
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
else:
    if sys.argv[4]:
        sys.stdin.readline()
    while time.process_time() < used_s:
        pass
print("used", flush=True)
sys.stdin.readline()
"""


class Busy:
    """A program that waits for `go`, uses its seconds of CPU time on one core and says so.

    `nested`: a child of it does the work, has ended and was waited for when it says so.
    """

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def go(self) -> None:
        self._say()

    def wait_used(self) -> None:
        """Return when it has used its time."""
        assert self._popen.stdout is not None
        assert self._popen.stdout.readline() == "used\n"

    def _say(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()


@contextlib.contextmanager
def running(core: int, used_s: float, *, nested: bool = False) -> Iterator[Busy]:
    """One that is ready, on this core."""
    argv = [sys.executable, "-c", _LOOP, str(core), str(used_s), str(int(nested)), _LOOP]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == "ready\n"
        try:
            yield Busy(popen)
        finally:
            popen.kill()
