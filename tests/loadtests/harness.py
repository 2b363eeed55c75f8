"""Starting the scripted upstream and real Locust processes for tests; always ended, always on 127.0.0.1."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.record import RequestRecord
from loadtests.recording.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"
DEADLINE_S = 90.0


@dataclass
class Upstream:
    url: str
    log_path: Path
    process: subprocess.Popen[str]

    def log(self) -> list[dict[str, Any]]:
        """What the server did, one entry per request that reached it, in order of their ends."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def behaviours(self) -> Counter[str]:
        return Counter(entry["behaviour"] for entry in self.log())


@contextmanager
def upstream(folder: Path, **script: Any) -> Iterator[Upstream]:
    log_path = folder / "upstream.log"
    program = Path(__file__).with_name("scripted_upstream.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(log_path), json.dumps(script)], stdout=subprocess.PIPE, text=True
    )
    with process:  # which closes its pipe
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Upstream(f"http://127.0.0.1:{port}", log_path, process)
        finally:
            process.kill()


@dataclass
class Ran:
    """A finished load run."""

    code: int
    output: str
    folder: RunFolder

    @property
    def load(self) -> dict[str, Any]:
        return self.folder.load()

    @property
    def records(self) -> list[RequestRecord]:
        return list(self.folder.records())

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(record.outcome for record in self.records)

    def assert_conserved(self) -> None:
        """Every planned request has exactly one record."""
        planned = sorted(arrival.i for arrival in self.folder.plan().arrivals)
        assert sorted(record.i for record in self.records) == planned
        assert self.load["planned"] == self.load["recorded"] == len(planned)


def arguments(host: str, folder: Path, *flags: str, headless: bool = True) -> list[str]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", host, "-L", "WARNING"]
    if headless:
        command += ["--headless", "--only-summary", "--run-dir", str(folder)]
    return [*command, *flags, *own_master_port(flags)]


def own_master_port(flags: Sequence[str]) -> list[str]:
    """A free port for a run of several processes: Locust's default is one for everybody on the machine."""
    if "--processes" not in flags:
        return []
    port = str(free_port())
    return ["--master-bind-port", port, "--master-port", port]


def start(command: Sequence[str], log: Path, **more: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env={**environment, **more}, stdout=output, stderr=subprocess.STDOUT
        )


def run(
    host: str,
    folder: Path,
    *flags: str,
    during: Callable[[subprocess.Popen[bytes]], None] | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
) -> Ran:
    """One headless run to its end; `during` is called with the process once it was started."""
    log = folder.with_name(folder.name + ".log")
    process = start(arguments(host, folder, *flags), log, **(environment or {}))
    try:
        if during is not None:
            during(process)
        code = process.wait(deadline_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Ran(code, log.read_text(), RunFolder(folder))


def until(condition: Callable[[], bool], what: str, deadline_s: float = 90.0) -> None:
    """Poll until true; fails naming what did not happen."""
    give_up = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < give_up, f"{what}: not within {deadline_s:g} s"
        time.sleep(0.02)


def lines_in(path: Path) -> int:
    """Lines of a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
