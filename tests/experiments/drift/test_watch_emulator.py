"""A watch on real processes: an emulator that becomes slower behind the same gateway, and what its users
feel of the probes."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.decide.live_verdict import change_text
from experiments.design.pair_order import Side, order_of
from experiments.drift.prober import SHARE, Prober
from experiments.run_folder import record_table
from experiments.stack import engine, gateway, load
from experiments.stack.ports import free_port
from experiments.stats.paired_changes import compare_changes
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.reach.endpoint import Endpoint
from loadtests.slo import SLO
from tests.experiments import sweeping

MODEL = "tiny-cpu"
OBJECTIVE = SLO.parse("ttft<=800ms,tpot<=60ms")
ONE_PROBE_S = 3.0
BLOCKS, WARM_UP_S, MEASURE_S = 5, 3.0, 22.0


def _gauge(port: int, name: str) -> float | None:
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = re.search(rf"^headroom_watch_{name}{{[^}}]*}} (\S+)$", page, re.MULTILINE)
    return None if found is None else float(found[1])


@contextmanager
def _emulator(port: int, base_s: float, folder: Path) -> Iterator[engine.Engine]:
    folder.mkdir()
    choice = engine.choose(
        "emulator", model=MODEL, profile="exact", engine_args=["--set", f"base_s={base_s}"]
    )
    with engine.running(choice, log_dir=folder, port=port) as served:
        yield served


@pytest.mark.prove
def test_an_engine_that_is_started_anew_and_slower_is_found(tmp_path: Path) -> None:
    """Rounds of three seconds; 5 ms a step at first, 7 ms after the restart."""
    engine_port, metrics_port = free_port(), free_port()
    words = [sys.executable, "-m", "experiments.watch", "--model", MODEL, "--folder", str(tmp_path / "w")]
    words += ["--every", "3s", "--learn", "150s", "--metrics-port", str(metrics_port)]
    at = f"http://127.0.0.1:{engine_port}"
    with gateway.running(engine_url=at, model=MODEL, log_dir=tmp_path) as front:
        words += ["--gateway-url", front.url]
        with _emulator(engine_port, 0.005, tmp_path / "before"):
            watch = subprocess.Popen(words, cwd=sweeping.ROOT, env=sweeping.environment())
            try:
                sweeping.wait_until(lambda: (tmp_path / "w" / "baseline.json").exists(), 300, "a baseline")
                assert _gauge(metrics_port, "drift") == 0.0
            except BaseException:
                watch.kill()
                raise
        try:
            with _emulator(engine_port, 0.007, tmp_path / "after"):
                sweeping.wait_until(lambda: _gauge(metrics_port, "drift") == 1.0, 120, "a slow-down")
                assert 0.1 < (_gauge(metrics_port, "slowdown_ratio") or 0.0) < 0.8
        finally:
            watch.terminate()
            watch.wait()


@contextmanager
def _watched(front: Endpoint) -> Iterator[Prober]:
    """Rounds of four seconds one after the other: the budget of 2 % is what bounds them."""
    prober, over = Prober(front, MODEL), threading.Event()

    def go_on() -> None:
        while not over.is_set():
            prober.round(4.0)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield prober
    finally:
        over.set()
        thread.join()


def _goodput_per_s(front: Endpoint, block: int, folder: Path) -> float:
    folder.mkdir(parents=True)
    mix = Mix(prompt_tokens=64, output_tokens=24, workload="fixed")
    plan = plans.make("sustained", 10.0, WARM_UP_S, MEASURE_S, 70 + block, mix=mix)
    plan.save(folder / "to-play.json")
    job = load.LoadJob(
        target=front, model=MODEL, plan_file=folder / "to-play.json", run_dir=folder,
        log_path=folder / "locust.log", slo=str(OBJECTIVE), drain_s=5.0,
    )  # fmt: skip
    started = load.start(job)
    try:
        started.wait_ready()
        started.go()
        assert started.wait_result(plan.duration_s + 60.0)
    finally:
        started.stop()
    measured = [one for one in record_table.convert(folder) if one.phase == "measure"]
    return sum(OBJECTIVE.judge(one) for one in measured) / MEASURE_S


@pytest.mark.prove
def test_users_do_not_feel_the_probes(tmp_path: Path) -> None:
    """Paired blocks with and without, where nearly all is good: the goodput is the same within 1 %, and the
    probes take 2 % at most, but for one that begins while nobody is there and meets users then: it is paid
    back by those that follow. How it is where little is good: `test_virtual_users`."""
    values: dict[Side, list[float]] = {side: [] for side in Side}
    shares, over_s = [], []
    choice = engine.choose("emulator", model=MODEL, profile="tiny-cpu")
    with (
        engine.running(choice, log_dir=tmp_path) as served,
        gateway.running(
            engine_url=served.url, model=MODEL, log_dir=tmp_path, env={"MAX_ACTIVE": "16"}
        ) as front,
    ):
        for block in range(BLOCKS):
            for side in order_of(3, block):
                folder = tmp_path / f"{side}{block}"
                if side is Side.A:
                    values[side].append(_goodput_per_s(front.endpoint, block, folder))
                    continue
                with _watched(front.endpoint) as prober:
                    values[side].append(_goodput_per_s(front.endpoint, block, folder))
                shares.append(prober.budget.share)
                over_s.append(prober.budget.beside_s - SHARE * prober.budget.users_s)
    found = compare_changes(values[Side.A], values[Side.B], (BLOCKS,), BLOCKS, delta=0.01)
    print(f"goodput with probes: {change_text(found)}")
    print(f"probes took {max(shares):.2%} of the users' slot-seconds at most")
    assert found.relative is not None
    assert abs(found.relative) <= 0.01
    assert max(shares) > 0
    assert max(over_s) <= ONE_PROBE_S
