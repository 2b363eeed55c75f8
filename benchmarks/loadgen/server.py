"""The C upstream: compiled once, started for one measurement, its log read back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".tools"


@dataclass
class Server:
    """A running upstream; after it has ended, what it did. Times in seconds of the monotonic clock."""

    url: str
    received_s: list[float] = field(default_factory=list)
    ttft_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)
    chunks: int = 0

    def read(self, log: Path) -> None:
        for line in log.read_text().splitlines():
            received, _, n, *at = map(int, line.split())
            if not n:
                continue
            self.received_s.append(received / 1e6)
            self.ttft_s.append((at[0] - received) / 1e6)
            self.gap_s += (np.diff(at) / 1e6).tolist()
            self.chunks += n


def build() -> Path:
    """The compiled server (needs a C compiler)."""
    program = TOOLS / "loadgen-upstream"
    source = HERE / "upstream.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


@contextmanager
def serving(ttft_s: float, gap_s: float, folder: Path, on: list[str]) -> Iterator[Server]:
    """The server, started by the prefix `on`; its log is in the yielded object once the block has ended."""
    log = folder / "upstream.log"
    command = [str(build()), "0", str(int(ttft_s * 1e6)), str(int(gap_s * 1e6)), str(log)]
    process = subprocess.Popen([*on, *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    server = Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
    try:
        yield server
    finally:
        process.terminate()
        process.wait(60)
        server.read(log)
