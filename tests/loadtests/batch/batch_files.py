"""Batch files for tests: requests written, results read, the command started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.gateway.scripted_engine import ScriptedEngine

ROOT = Path(__file__).resolve().parents[3]


def line(custom_id: str, **body: Any) -> dict[str, Any]:
    """One request; its custom_id goes to the engine as `user`."""
    fields = {"model": "tiny", "messages": [], "user": custom_id, **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": fields}


def written(folder: Path, lines: Iterable[Any]) -> Path:
    """A file of these, texts as they are."""
    path = folder / "in.jsonl"
    texts = (one if isinstance(one, str) else json.dumps(one) for one in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def results(path: Path) -> list[dict[str, Any]]:
    """What stands beside a file of requests; a last line without an end does not count."""
    out = path.with_suffix(".results.jsonl")
    if not out.exists():
        return []
    return [json.loads(text) for text in out.read_bytes().split(b"\n")[:-1]]


def words(path: Path, url: str, *more: str) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "loadtests.batch", "run", str(path), "--host", url, *more]


def started(path: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    """It runs, and what it says goes into `said(path)`."""
    with said(path).open("wb") as file:
        return subprocess.Popen(words(path, url, *more), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file)


def said(path: Path) -> Path:
    """What the last one that was started has told, for a file of requests."""
    return path.with_suffix(".log")


def asked(engine: ScriptedEngine) -> Counter[str]:
    """How often the engine got each request, by its custom_id."""
    return Counter(seen.fields["user"] for seen in engine.seen)
