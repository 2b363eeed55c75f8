"""A client that is slow to read is not taken for a slow engine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from experiments.run_folder.measured_cell import finished_cells
from experiments.speed.cell_steps import CellSteps
from experiments.speed.judge import judge
from experiments.speed.steps import steps_of
from tests.experiments import sweeping

Read = Callable[[float], float]
"""When a chunk is read that came then, seconds of the cell."""
WINDOW_S = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A stream as its client saw it."""

    sent_s: float
    times_s: tuple[float, ...]
    prompt_tokens: int


def seen_cell(name: str, began_s: float, read: Read, *, step_s: float, slower: float = 1.0) -> CellSteps:
    """A closed loop of six streams on an engine of even steps, and what is found in what was read of it."""
    rng = np.random.default_rng(int(began_s))
    streams: list[Seen] = []
    running: list[list[float]] = []
    now_s = 0.0
    while now_s < WINDOW_S:
        while len(running) < 6:
            running.append([])
        now_s += slower * step_s * (1 + 0.02 * len(running)) * float(np.exp(0.02 * rng.standard_normal()))
        for times_s in running:
            times_s.append(read(now_s))
        ended = [times_s for times_s in running if rng.random() < 0.02 and len(times_s) > 1]
        for times_s in ended:
            running.remove(times_s)
            streams.append(Seen(times_s[0] - step_s, tuple(times_s), 100))
    streams += [Seen(times_s[0] - step_s, tuple(times_s), 100) for times_s in running if times_s]
    return CellSteps.of(name, "", began_s, WINDOW_S, steps_of(streams).between(0.0, WINDOW_S))


def at_once(at_s: float) -> float:
    return at_s


def stalling(at_s: float) -> float:
    """A reader that stands still for 0.7 of every 2 s, as one that is stopped or collects garbage."""
    inside_s = at_s % 2.0
    return at_s if inside_s < 1.3 else at_s - inside_s + 2.0


def starved(slice_s: float) -> Read:
    """A reader that shares its core: it runs for one slice of every two."""

    def read(at_s: float) -> float:
        inside_s = at_s % (2 * slice_s)
        return at_s if inside_s < slice_s else at_s - inside_s + 2 * slice_s

    return read


@pytest.mark.parametrize("step_s", [0.006, 0.03])
@pytest.mark.parametrize("read", [stalling, starved(0.004), starved(0.02)], ids=["stalls", "4 ms", "20 ms"])
def test_a_slow_reader_is_no_slow_engine(read: Read, step_s: float) -> None:
    """In four of twelve cells, for all of their time; where too little is left to see, nothing is said."""
    slow = {2, 5, 6, 9}
    run = judge(
        [seen_cell(f"c{k}", 25.0 * k, read if k in slow else at_once, step_s=step_s) for k in range(12)]
    )
    assert run.disturbed == ()


def test_a_slow_engine_behind_a_slow_reader_is_still_seen() -> None:
    """What the reader leaves over is enough to tell that the engine took half as long again."""
    cells = [seen_cell(f"c{k}", 25.0 * k, at_once, step_s=0.03) for k in range(11)]
    cells.append(seen_cell("slow", 275.0, stalling, step_s=0.03, slower=1.5))
    assert [cell.id for cell in judge(cells).disturbed] == ["slow"]


@pytest.mark.prove
def test_a_load_generator_that_is_stopped_is_no_slow_engine(tmp_path: Path) -> None:
    """A sweep on the emulator whose Locust is stopped for 0.4 of every 1.2 s in the cell of sixteen slots."""
    out = tmp_path / "run"
    flags = (
        *("--engine", "emulator", "--max-active", "4,8,16", "--queue-mode", "queue", "--blocks", "1"),
        *("--load", "sustained@0.9x", "--measure", "16s", "--warm-up", "1s", "--drain", "4s"),
        *("--min-requests", "10", "--design", "grid", "--quiet"),
    )
    sweep = subprocess.Popen(
        sweeping.command(out, *flags), cwd=sweeping.ROOT, env=sweeping.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    stopped: dict[str, int] = {}
    give_up = time.monotonic() + 900.0
    try:
        while sweep.poll() is None and time.monotonic() < give_up:
            for process in psutil.Process(sweep.pid).children(recursive=True):
                _stop_a_moment(process, stopped)
            time.sleep(0.8)
    finally:
        sweep.terminate()
        sweep.wait()
    assert sweep.returncode in (0, 1, 2)  # a stopped generator makes its cell invalid
    found = {cell.id: cell.summary.speed for cell in finished_cells(out)}
    for cell_id, speed in found.items():
        print(cell_id, stopped.get(cell_id, 0), speed and speed.index, speed and speed.verdict)
    (hit,) = (cell_id for cell_id, times in stopped.items() if times > 5)
    speed = found[hit]
    assert speed is not None
    assert not speed.disturbed


def _stop_a_moment(process: psutil.Process, stopped: dict[str, int]) -> None:
    """Stop it for 0.4 s if it is the load generator of a cell with slots for sixteen."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return
    folder = next((word for word in words if ".partial" in word and "ma16-" in word), None)
    if folder is None or "locust" not in " ".join(words):
        return
    os.kill(process.pid, signal.SIGSTOP)
    try:
        time.sleep(0.4)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    name = Path(folder).name.removeprefix(".").removesuffix(".partial")
    stopped[name] = stopped.get(name, 0) + 1
