"""Wrong input ends with one sentence and its exit code; a saturated client says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loadtests.harness import arguments, free_port, run, start, upstream
from tests.loadtests.planning.trace_data import FOLDER

QUICK = ("--warmup", "0", "--duration", "1", "--rate", "10", "--output-tokens", "4", "--seed", "0")


def trace(name: str) -> tuple[str, ...]:
    """Flags that play the stored trace file."""
    return ("--scenario", "trace", "--trace", str(FOLDER / name))


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (("--rate", "-1"), 2, "rate_per_s = -1.0: must be > 0 requests per second"),
        (("--scenario", "sustaned"), 2, "invalid choice: 'sustaned'"),
        (("--scenario", "trace"), 2, "give the file to replay with --trace"),
        (trace("headroom_one_row.csv"), 2, "has no span that could be scaled (1 arrival)"),
        (trace("lengths_unit_unknown.jsonl"), 2, "say --trace-unit s or ms"),
        ((*trace("bailian.jsonl"), "--trace-unit", "us"), 2, "invalid choice: 'us'"),
        (("--scenario", "trace", "--trace", "/nowhere.jsonl"), 2, "trace /nowhere.jsonl: No such file"),
        (("--plan-file", "/nowhere/plan.json"), 2, "/nowhere/plan.json: No such file"),
        (("--mix", "chat:0.9"), 2, "the shares of the load classes sum to 0.9"),
        (("--mix", "chat:1", "--slo", "ttft<=1s;agents:ttft<=9s"), 2, "there is no load class 'agents'"),
        ((*trace("bailian.jsonl"), "--mix", "chat:1"), 2, "a trace brings its own requests"),
        (("--unknown-flag",), 2, "unrecognized arguments: --unknown-flag"),
        (("--allow-host", "gateway.internal"), 13, "host '127.0.0.1' is not allowed"),
        ((), 13, "is unreachable"),
    ],
)
def test_one_sentence_and_a_code(tmp_path: Path, flags: tuple[str, ...], code: int, sentence: str) -> None:
    """No traceback, nothing sent, no run folder left behind."""
    ran = run(f"http://127.0.0.1:{free_port()}", tmp_path / "run", *flags)
    assert sentence in ran.output, ran.output
    assert "Traceback" not in ran.output
    assert ran.code == code
    assert not (tmp_path / "run" / "load.json").exists()


def test_a_used_folder_is_not_overwritten(tmp_path: Path) -> None:
    """Records of an earlier run are never mixed with new ones."""
    with upstream(tmp_path, gap_s=0.001) as server:
        first = run(server.url, tmp_path / "run", *QUICK)
        before = (tmp_path / "run" / "records.jsonl").read_bytes()
        second = run(server.url, tmp_path / "run", *QUICK)
    assert first.code in (0, 11)
    assert second.code == 2
    assert "already holds a run" in second.output
    assert (tmp_path / "run" / "records.jsonl").read_bytes() == before


def test_the_gate(tmp_path: Path) -> None:
    """--gate turns a missed SLO into exit code 10; without it the run itself is fine."""
    with upstream(tmp_path, ttft_s=0.2) as server:
        ran = run(server.url, tmp_path / "run", *QUICK, "--slo", "ttft<=1s,e2e<=100ms", "--gate")
    assert ran.load["summary"]["attainment"] == 0.0
    assert ran.code in (10, 11)  # 11: this machine was too busy to measure at all
    assert (ran.code == 11) == ran.load["client_saturated"]


def test_a_blocked_hub_is_reported(tmp_path: Path) -> None:
    """Something that blocks the generator for 120 ms every half second: `client_saturated`, exit code 11."""
    locustfile = tmp_path / "blocking.py"
    locustfile.write_text(
        "import time, gevent\n"
        "from gevent.monkey import get_original\n"
        "from locust import events\n"
        "from loadtests.locustfile import PlanShape, PlanUser\n"
        "sleep = get_original('time', 'sleep')\n"
        "def block():\n"
        "    while True:\n"
        "        gevent.sleep(0.4)\n"
        "        sleep(0.12)\n"
        "@events.test_start.add_listener\n"
        "def _(**_):\n"
        "    gevent.spawn(block)\n"
    )
    with upstream(tmp_path) as server:
        command = arguments(server.url, tmp_path / "run", *QUICK, "--duration", "3")
        command[command.index("-f") + 1] = str(locustfile)
        process = start(command, tmp_path / "log")
        try:
            code = process.wait(60)
        finally:
            process.kill()
    from loadtests.recording.run_folder import RunFolder

    load = RunFolder(tmp_path / "run").load()
    assert code == 11, (tmp_path / "log").read_text()
    assert load["client_saturated"]
    assert any("hub lag" in reason for reason in load["reasons"])
