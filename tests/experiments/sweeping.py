"""Running real sweeps as a person does: the command in a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Six cells of a few seconds: two settings below and one above what the loads need.
SMALL = (
    *("--engine", "emulator", "--max-active", "2,16", "--queue-mode", "queue,reject"),
    *("--load", "sustained@0.6x,burst@1.3x", "--measure", "4s", "--warm-up", "1s"),
    *("--min-requests", "10", "--drain", "4s", "--design", "grid", "--quiet"),
)


def command(out: Path, *flags: str) -> list[str]:
    """The command line of a sweep that writes to `out`."""
    return [sys.executable, "-m", "experiments.sweep", "--out", str(out), *flags]


def environment() -> dict[str, str]:
    """Without what a developer's shell may hold for real sweeps."""
    dropped = ("ENGINE_URL", "MODEL", "GATEWAY_ADMIN_TOKEN")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def run(out: Path, *flags: str, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    """The sweep to its end, its output as text."""
    return subprocess.run(
        command(out, *flags),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def summaries(out: Path) -> list[dict[str, Any]]:
    """summary.json of every finished cell."""
    return [json.loads(path.read_text()) for path in sorted(out.glob("cells/[!.]*/summary.json"))]


def disagreeing_counts(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the ledger that count requests and do not agree; sums of times may differ on a busy machine."""
    counts = [row for row in summary["ledger"] if not row["what"].startswith("request-seconds")]
    return [row for row in counts if not row["agrees"]]


def digests(cell: Path) -> dict[str, str]:
    """File name → sha256 of everything in a cell's folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(cell.iterdir())}


def wait_until(true: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Poll until `true`; fails with `what` after the deadline."""
    give_up = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < give_up, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)


def processes_naming(text: str) -> list[str]:
    """Command lines of running processes that contain `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and "pytest" not in line:
            found.append(line)
    return found
