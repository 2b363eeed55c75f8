"""Starts the program that makes tables of closed segments; the gateway itself knows nothing of Parquet."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

COMMAND = ("-m", "loadtests.traffic.pack")
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME")
"""What the program needs of our environment, which holds keys."""


class Packer:
    """One at a time. told: gets a sentence, once, where it does not work; the segments then stay as they are,
    which every reader takes as well.
    """

    def __init__(self, folder: Path, told: Callable[[str], None], command: Sequence[str] = COMMAND) -> None:
        self._folder = folder
        self._told = told
        self._command = [sys.executable, *command, str(folder)]
        self._running: subprocess.Popen[bytes] | None = None
        self._again = self._useless = False

    def start(self) -> None:
        """Looks for closed segments, now or when the one that runs has ended. Does not wait."""
        self._again = True
        self.look()

    def look(self) -> None:
        """To be called now and then."""
        if self._running is not None:
            status = self._running.poll()
            if status is None:
                return
            self._running = None
            if status != 0:
                self._give_up(f"ended with {status}")
        if self._again and not self._useless:
            self._again = False
            try:
                self._running = self._begin()
            except OSError as error:
                self._give_up(error.strerror or repr(error))

    def _begin(self) -> subprocess.Popen[bytes]:
        # No file of ours is inheritable, so none needs closing, and the child begins without a copy of us.
        return subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )

    def _give_up(self, why: str) -> None:
        self._useless = True
        self._told(f"{' '.join(self._command)}: {why}")
