"""Master and workers started one by one, as Locust's documentation has it: who is expected, there, late."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loadtests.recording.run_folder import RunFolder
from tests.loadtests.harness import LOCUSTFILE, Upstream, free_port, start, until, upstream
from tests.loadtests.web.test_web_ui import get, post, web_ui

LOAD = {"scenario": "constant", "rate": "15", "warmup": "0", "duration": "8", "output_tokens": "4"}


class Stack:
    """A master that expects three workers, two that are there, and a scripted engine."""

    def __init__(
        self, folder: Path, page: tuple[str, Path], server: Upstream, port: int, stack: ExitStack
    ) -> None:
        self.folder, self.server, self._port = folder, server, port
        self.url, self.runs = page
        self._stack = stack

    def worker(self, name: str) -> None:
        """One more, by hand."""
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--worker"]
        command += ["--master-host", "127.0.0.1", "--master-port", str(self._port)]
        process = start(command, self.folder / f"{name}.log")
        self._stack.callback(_end, process)

    def page(self) -> dict[str, Any]:
        page: dict[str, Any] = get(f"{self.url}/llm/series.json")
        return page

    def begin(self) -> None:
        started = post(f"{self.url}/swarm", host=self.server.url, **LOAD)
        assert started["success"], started

    def connected(self, count: int) -> None:
        until(lambda: self.page()["workers"]["connected"] == count, f"{count} workers")

    def log(self) -> str:
        return (self.folder / "locust.log").read_text()

    def ended(self, count: int) -> RunFolder:
        """The newest of so many runs, once it is over."""
        until(lambda: len(list(self.runs.glob("*/cells/load/load.json"))) == count, "load.json")
        until(lambda: get(f"{self.url}/stats/requests")["state"] in ("stopped", "ready"), "Locust is ready")
        return RunFolder(max(self.runs.iterdir()) / "cells" / "load")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder, port = tmp_path_factory.mktemp("by-hand"), free_port()
    with ExitStack() as stack:
        server = stack.enter_context(upstream(folder, ttft_s=0.02, gap_s=0.005))
        flags = ("--master", "--expect-workers", "3", "--master-bind-port", str(port))
        page = stack.enter_context(web_ui(folder, server.url, *flags))
        yield Stack(folder, page, server, port, stack)


def test_a_missing_worker_is_told_and_a_late_one_disturbs_nothing(stack: Stack) -> None:
    """Two of three send the whole plan, each request once; the third comes in the middle, is told of on page
    and terminal, and sends in the next run, which is stopped: every request has its record then, too."""
    stack.worker("first")
    stack.worker("second")
    stack.connected(2)
    assert stack.page()["workers"] == {"expected": 3, "connected": 2, "sending": 0, "late": 0, "lost": 0}

    stack.begin()
    until(lambda: stack.page().get("recorded", 0) > 0, "the first records")
    stack.worker("third")
    stack.connected(3)
    assert stack.page()["workers"] == {"expected": 3, "connected": 3, "sending": 2, "late": 1, "lost": 0}
    until(lambda: "came after the start" in stack.log(), "the word on the terminal")
    assert "1 of 3 expected workers missing" in stack.log()
    first = stack.ended(1)
    asked = Counter(entry["id"] for entry in stack.server.log())
    load = first.load()
    assert (load["senders"], load["ended"], load["complete"]) == (2, "completed", True)
    assert load["outcomes"] == {"ok": 120}
    assert asked == Counter(record.request_id for record in first.records())

    stack.begin()
    until(lambda: stack.page().get("recorded", 0) > 0, "records of the second run")
    assert stack.page()["workers"]["sending"] == 3
    post(f"{stack.url}/stop")
    second = stack.ended(2).load()
    assert (second["senders"], second["ended"], second["complete"]) == (3, "stopped", True)
    assert sum(second["outcomes"].values()) == 120
    assert second["outcomes"]["not_sent"] > 0
    assert stack.log().count("expected workers missing") == 1
