"""Planned = recorded, and every record tells what the server did: with breaking servers,
storms, signals, dead workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import psutil
import pytest

from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from tests.loadtests.harness import Ran, lines_in, run, until, upstream

SHORT = ("--warmup", "0.5", "--duration", "2.5", "--output-tokens", "6", "--seed", "0")
EXPECTED = {
    "ok": "ok",
    "429": "rejected_full",
    "503": "queue_timeout",
    "500": "upstream_error",
    "400": "refused",
    "close_before_head": "connect_error",
    "reset": "connect_error",
    "garbage": "connect_error",
    "close_after_head": "truncated",
    "close_mid": "truncated",
    "no_done": "truncated",
    "error_event": "upstream_error",
    "bad_json": "upstream_error",
    "hang": "cut",
}


def behaviours_by_id(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["id"]: entry["behaviour"] for entry in entries}


def test_a_server_that_breaks_at_every_stage(tmp_path: Path) -> None:
    """Each way to break has its outcome, request by request, as the server's own log says; none is lost."""
    with upstream(tmp_path, behaviours=list(EXPECTED), ttft_s=0.01, gap_s=0.005) as server:
        ran = run(server.url, tmp_path / "run", "--rate", "40", "--drain", "1", *SHORT)
        server.process.kill()  # ends the hanging exchanges, so that they are logged
        done = behaviours_by_id(server.log())
    ran.assert_conserved()
    assert len(ran.records) > 70
    for record in ran.records:
        behaviour = done.get(record.request_id, "hang")
        assert record.outcome == EXPECTED[behaviour], f"{behaviour}: {record.error}"
        assert (record.finished_s is not None) == (record.outcome != "cut"), record
    assert set(ran.outcomes) == set(EXPECTED.values())


def test_a_storm_of_retries(tmp_path: Path) -> None:
    """Under 429s each request is tried three times as by the OpenAI SDK, which reads the milliseconds
    first; client and server count the same attempts."""
    with upstream(tmp_path, behaviours=["429"], retry_after_s=60, retry_after_ms=50) as server:
        ran = run(server.url, tmp_path / "run", "--scenario", "retry-storm", "--rate", "40", *SHORT)
        asked = len(server.log())
    ran.assert_conserved()
    assert set(ran.outcomes) == {"rejected_full"}
    assert all(r.attempts == 3 and r.tried == ["rejected_full"] * 3 for r in ran.records)
    assert sum(r.attempts for r in ran.records) == asked
    assert all(r.retry_after_s == 60 for r in ran.records)


def test_clients_that_give_up(tmp_path: Path) -> None:
    """Deadlines and planned hang-ups end requests as client_timeout and cancelled; the
    server sees them go."""
    with upstream(tmp_path, ttft_s=0.3, gap_s=0.1) as server:
        flags = ("--cancel-rate", "0.5", "--cancel-after-s", "0.2", "--deadline-s", "0.6", "--drain", "5")
        ran = run(server.url, tmp_path / "run", "--rate", "30", *flags, *SHORT)
        until(lambda: len(server.log()) == len(ran.records), "the server notices every hang-up")
        gone = sum(bool(entry.get("gone")) for entry in server.log())
    ran.assert_conserved()
    assert set(ran.outcomes) <= {"client_timeout", "cancelled"}
    assert [record.leaves_after_s or 0.0 for record in sorted(ran.folder.records(), key=lambda r: r.i)] == [
        a.cancel_after_s for a in ran.folder.plan().arrivals
    ]
    planned = sum(0 < a.cancel_after_s < 0.6 for a in ran.folder.plan().arrivals)
    assert abs(ran.outcomes["cancelled"] - planned) <= 2  # a hang-up and a deadline may fall together
    assert gone >= 0.9 * len(ran.records)


def test_a_cap_on_requests_in_flight_is_counted_not_queued(tmp_path: Path) -> None:
    """Arrivals beyond the cap are `not_sent` at once: an open loop must not turn into a closed one unseen."""
    with upstream(tmp_path, ttft_s=0.5, gap_s=0.05) as server:
        ran = run(server.url, tmp_path / "run", "--rate", "40", "--max-inflight", "3", *SHORT)
        asked = len(server.log())
    ran.assert_conserved()
    assert ran.outcomes["ok"] == asked
    assert ran.outcomes["not_sent"] > 3 * asked
    assert ran.load["send_lag"]["n"] == asked
    assert ran.load["summary"]["counts"]["offered"] == ran.folder.plan().offered("measure")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_lose_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """In the middle of a run: what was in flight is `cut`, the rest `not_sent`, load.json is written."""
    records = tmp_path / "run" / "records.jsonl"

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        until(lambda: lines_in(records) >= 5, "five records")
        process.send_signal(number)

    with upstream(tmp_path, ttft_s=0.1, gap_s=0.05) as server:
        flags = ("--rate", "20", "--warmup", "0", "--duration", "60", "--output-tokens", "8")
        ran = run(server.url, tmp_path / "run", *flags, during=interrupt)
    ran.assert_conserved()
    assert ran.code == code == ran.load["exit_code"]
    assert ran.load["ended"] == number.name
    assert {"ok", "cut", "not_sent"} == set(ran.outcomes)
    assert ran.load["complete"]


def test_run_time_loses_nothing(tmp_path: Path) -> None:
    """--run-time ends the run before its plan is through: the rest of the plan is counted, not forgotten."""
    with upstream(tmp_path, ttft_s=0.1, gap_s=0.05) as server:
        flags = (
            "--rate",
            "20",
            "--warmup",
            "0",
            "--duration",
            "60",
            "--output-tokens",
            "8",
            "--run-time",
            "2s",
        )
        ran = run(server.url, tmp_path / "run", *flags)
    ran.assert_conserved()
    assert ran.load["ended"] == "run_time"
    assert {"ok", "cut", "not_sent"} == set(ran.outcomes)


def self_signed(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1 in one file."""
    key, public = folder / "cert.pem", folder / "public.pem"
    flags = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(public)]
    subprocess.run(["openssl", "req", *flags, *files], check=True, capture_output=True)
    key.write_text(key.read_text() + public.read_text())
    return key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_tls(tmp_path: Path) -> None:
    """An https target: the certificate is checked, the records are the same."""
    certificate = self_signed(tmp_path)
    trust = {"SSL_CERT_FILE": str(certificate)}
    with upstream(
        tmp_path, tls=str(certificate), behaviours=["ok", "429", "close_mid"], gap_s=0.002
    ) as server:
        secure = server.url.replace("http://", "https://")
        trusted = run(secure, tmp_path / "run", "--rate", "20", *SHORT, environment=trust)
        strange = run(secure, tmp_path / "strange", "--rate", "20", *SHORT)
    trusted.assert_conserved()
    assert set(trusted.outcomes) == {"ok", "rejected_full", "truncated"}
    assert strange.code == 13
    assert "its TLS certificate is not trusted" in strange.output


def test_two_processes_send_what_one_sends(tmp_path: Path) -> None:
    """The union of two workers is the plan, each request asked for once, and every
    record reaches the master."""
    with upstream(tmp_path, behaviours=["ok", "429", "close_mid"], ttft_s=0.02, gap_s=0.01) as server:
        ran = run(server.url, tmp_path / "run", "--rate", "40", "--processes", "2", "--print-stats", *SHORT)
        asked = Counter(entry["id"] for entry in server.log())
    ran.assert_conserved()
    assert ran.load["senders"] == 2
    assert ran.load["complete"]
    assert asked == Counter(record.request_id for record in ran.records)
    assert "POST     chat " in ran.output


def test_a_killed_worker_is_reported_and_nothing_disappears(tmp_path: Path) -> None:
    """kill -9 of a worker: the run says so (exit 12), its finished records are kept, the
    rest is accounted for."""
    records = tmp_path / "run" / "records.jsonl"

    def kill_one(process: subprocess.Popen[bytes]) -> None:
        until(lambda: lines_in(records) >= 20, "twenty records at the master")
        os.kill(psutil.Process(process.pid).children()[0].pid, signal.SIGKILL)

    with upstream(tmp_path, ttft_s=0.02, gap_s=0.01) as server:
        flags = (
            "--rate",
            "20",
            "--warmup",
            "0",
            "--duration",
            "9",
            "--output-tokens",
            "6",
            "--processes",
            "2",
        )
        ran = run(server.url, tmp_path / "run", *flags, during=kill_one)
        answered = sum(not entry.get("gone") for entry in server.log())
    ran.assert_conserved()
    assert ran.code == 12
    load = ran.load
    assert not load["complete"]
    assert len(load["lost_workers"]) == 1
    assert load["rebuilt"] == sum(record.error is not None for record in ran.records) > 0
    assert ran.outcomes["ok"] <= answered <= ran.outcomes["ok"] + 3
    assert not list((tmp_path / "run").glob(".records*"))


def test_a_plan_file_and_a_go_file(tmp_path: Path) -> None:
    """Prepared first, started at the word, and exactly the given plan is sent."""
    plan = plans.make("constant", 20.0, 0.0, 1.0, 0, Mix.fixed(16, 4))
    plan.save(tmp_path / "given.json")
    go = tmp_path / "go"

    def say_go(process: subprocess.Popen[bytes]) -> None:
        until((tmp_path / "go.ready").exists, "readiness")
        assert len(server.log()) == 0
        go.touch()

    with upstream(tmp_path) as server:
        flags = ("--plan-file", str(tmp_path / "given.json"), "--go-file", str(go))
        ran = run(server.url, tmp_path / "run", *flags, during=say_go)
    ran.assert_conserved()
    assert ran.folder.plan() == plan
    assert ran.load["plan_hash"] == plan.hash
    assert ran.code in (0, 11)


def test_a_closed_loop_has_a_record_for_each_question(tmp_path: Path) -> None:
    """Four users ask one after another: never more than four in flight, numbered without a gap per user."""
    with upstream(tmp_path, ttft_s=0.05, gap_s=0.01) as server:
        ran = run(server.url, tmp_path / "run", "--scenario", "closed", "--vusers", "4", *SHORT)
        entries = sorted(server.log(), key=lambda entry: entry["received_s"])
    assert sorted(r.request_id for r in ran.records) == sorted(entry["id"] for entry in entries)
    borders = sorted([(e["received_s"], 1) for e in entries] + [(e["end_s"], -1) for e in entries])
    in_flight = highest = 0
    for _, change in borders:
        in_flight += change
        highest = max(highest, in_flight)
    assert highest <= 4
    for user in range(4):
        mine = sorted(r.i for r in ran.records if r.i % 4 == user)
        assert mine == list(range(user, user + 4 * len(mine), 4))
    assert {r.phase for r in ran.records} == {"warm_up", "measure"}
    assert ran.load["complete"]


def test_aggregated_counts_requests_only(tmp_path: Path) -> None:
    """TTFT and TPOT have rows of their own; Locust's total stays the number of requests."""
    with upstream(tmp_path, ttft_s=0.02, gap_s=0.01) as server:
        ran: Ran = run(server.url, tmp_path / "run", "--rate", "20", "--print-stats", *SHORT)
    totals = [line.split()[1] for line in ran.output.splitlines() if line.strip().startswith("Aggregated")]
    assert int(totals[0]) == len(ran.records)
    assert "chat TTFT" in ran.output
    assert "chat TPOT" in ran.output
