"""A batch through a real gateway: every line gets its result, whatever happens, and the others come first."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from loadtests.batch.__main__ import main
from tests.gateway.process import GatewayProcess, gateway, until
from tests.gateway.scripted_engine import ScriptedEngine, whole
from tests.gateway.with_lanes import ALICE, FRONT, ask, gateway_with
from tests.loadtests.batch.batch_files import ROOT, asked, line, results, said, started, words, written

FREE = {"max_active": 8, "queue_max": 20}


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with ScriptedEngine(models=("tiny",)) as running:
        yield running


@pytest.fixture
def running(engine: ScriptedEngine) -> Iterator[GatewayProcess]:
    with gateway(engine.url, **FREE) as process:
        yield process


def sixty(folder: Path, **body: object) -> Path:
    return written(folder, (line(f"r{k}", **body) for k in range(60)))


def test_every_line_has_its_result(
    engine: ScriptedEngine, running: GatewayProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """60 of 60, each asked once; given again nothing is sent."""
    path = sixty(tmp_path)
    command = ["run", str(path), "--host", running.url]
    assert main(command) == 0
    found = results(path)
    assert sorted(one["custom_id"] for one in found) == sorted(f"r{k}" for k in range(60))
    assert {one["response"]["status_code"] for one in found} == {200}
    assert {one["response"]["body"]["object"] for one in found} == {"chat.completion"}
    assert all(one["response"]["request_id"] for one in found)
    assert asked(engine) == Counter(f"r{k}" for k in range(60))
    assert main(command) == 0
    assert len(engine.seen) == 60
    assert "all 60 have a result, 0 of them an error" in capsys.readouterr().err


def test_a_failure_is_a_result_with_an_error(
    engine: ScriptedEngine, running: GatewayProcess, tmp_path: Path
) -> None:
    """A 400 at once, a broken answer after three tries; the others have theirs, and the exit code says it."""
    bad = whole(400, json.dumps({"error": {"message": "too many words", "code": "too_long"}}))
    path = written(
        tmp_path,
        [
            line("good"),
            line("bad", script=[["send", bad]]),
            line("broken", script=[["send", whole(500, "{}")]]),
            line("last"),
        ],
    )
    assert main(["run", str(path), "--host", running.url]) == 15
    found = {one["custom_id"]: one for one in results(path)}
    assert {name: one["error"] is None for name, one in found.items()} == {
        **dict.fromkeys(("good", "last"), True),
        **dict.fromkeys(("bad", "broken"), False),
    }
    assert found["bad"]["response"]["status_code"] == 400
    assert "too many words" in found["bad"]["error"]["message"]
    assert found["broken"]["response"]["status_code"] >= 500
    times = asked(engine)
    assert (times["bad"], times["broken"]) == (1, 3)


def test_refusals_slow_it_down_and_fail_nothing(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Two slots without a queue, sixteen allowed: 429s, and still each is asked once and answered."""
    path = sixty(tmp_path, script=[["wait", 0.02], ["send", whole(200, "{}")]])
    with gateway(engine.url, max_active=2, queue_mode="reject") as running:
        assert main(["run", str(path), "--host", running.url]) == 0
        refused = running.state()["outcomes"]["rejected_mode"]
    assert 0 < refused < 60
    assert set(asked(engine).values()) == {1}
    assert len(results(path)) == 60


def test_others_come_first(engine: ScriptedEngine, tmp_path: Path) -> None:
    """While one of a more urgent class waits nothing of the batch is sent; afterwards all of it is, in the
    lane that it was told.
    """
    path = written(tmp_path, (line(f"r{k}") for k in range(5)))
    held = {"user": "person", "script": [["gate", "go"], ["send", whole(200, "{}")]]}
    more = ("--api-key", FRONT, "--tenant", "alice", "--class", "batch", "--slo", "e2e<=60s")
    with gateway_with(engine, tmp_path, max_active=1, queue_max=10, queue_timeout_s=60) as running:
        people = [Thread(target=lambda: ask(running, held, key=ALICE)) for _ in range(2)]
        for person in people:
            person.start()
        until(lambda: running.state()["queued"] == 1, what="a person waits")
        looked = running.metric("gateway_arrived_total")
        batch = started(path, running.url, *more)
        try:
            paused = "paused: others wait for a slot"
            until(lambda: paused in said(path).read_text(), 30, "it says that it waits")
            assert running.metric("gateway_arrived_total") == looked
            engine.open_gate("go")
            assert batch.wait(60) == 0
        finally:
            batch.kill()
            batch.wait()
            engine.open_gate("go")
        for person in people:
            person.join(10)
        page = running.get("/metrics")[2].decode()
    assert 'gateway_lane_requests_total{tenant="alice",priority_class="batch",outcome="ok"} 5' in page
    assert set(asked(engine)) == {"person", *(f"r{k}" for k in range(5))}


def test_a_key_that_is_refused_is_told_before_anything_is_sent(
    engine: ScriptedEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit code 2; with the key it runs."""
    path = written(tmp_path, [line("a")])
    with gateway(engine.url, gateway_api_keys="sk-right") as running:
        assert main(["run", str(path), "--host", running.url, "--api-key", "sk-wrong"]) == 2
        assert "refuses the key" in capsys.readouterr().err
        assert not engine.seen
        assert main(["run", str(path), "--host", running.url, "--api-key", "sk-right"]) == 0


def _has(path: Path, count: int) -> bool:
    return len(results(path)) >= count


def _killed_and_completed(engine: ScriptedEngine, path: Path, url: str, chance: random.Random) -> None:
    """Killed in the middle three times, then left alone: each once in the results, no more asked again than
    were in flight.
    """
    at_most = 4
    more = ("--max-in-flight", str(at_most))
    for goal in (10, 25, 40):
        batch = started(path, url, *more)
        try:
            until(partial(_has, path, goal + chance.randrange(8)), 60, "some results")
        finally:
            batch.kill()
            batch.wait()
    done = subprocess.run(words(path, url, *more), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(one["custom_id"] for one in results(path)) == sorted(f"r{k}" for k in range(60))
    times = asked(engine)
    assert set(times) == {f"r{k}" for k in range(60)}
    assert times.total() - 60 <= 3 * at_most, times.most_common(5)


SLOW = [["wait", 0.03], ["send", whole(200, json.dumps({"object": "chat.completion"}))]]


def test_killed_and_given_again(engine: ScriptedEngine, running: GatewayProcess, tmp_path: Path) -> None:
    """With `kill -9`, three times."""
    _killed_and_completed(engine, sixty(tmp_path, script=SLOW), running.url, random.Random(1))


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_many_moments(
    engine: ScriptedEngine, running: GatewayProcess, tmp_path: Path, seed: int
) -> None:
    """The same 20 times, each time at other moments."""
    _killed_and_completed(engine, sixty(tmp_path, script=SLOW), running.url, random.Random(seed))
