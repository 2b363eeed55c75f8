"""Secrets out of this process's command line, which everybody on the machine can read (`ps`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

_ARG_START = 45
"""Place of `arg_start` in /proc/self/stat behind the program's name; `arg_end` follows."""


def hide(secrets: Iterable[str]) -> None:
    """Writes `x` over each of them, wherever it stands in our arguments; as they were typed.

    On a system where that is not possible nothing happens.
    """
    typed = sorted({secret.encode() for secret in secrets if secret}, key=len, reverse=True)
    if not typed:
        return
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_START + 1])
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            words = shown = memory.read(end - start)
            for secret in typed:
                shown = shown.replace(secret, b"x" * len(secret))
            if shown != words:
                memory.seek(start)
                memory.write(shown)
