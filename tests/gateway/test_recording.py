"""A row of every finished completion, where RECORD_DIR asks for it: what is in it, and what never is."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import prefix_hashes, record_row
from gateway.recorder import WRITES_EVERY_S
from loadtests.traffic import row, table
from tests.gateway.process import ROOT, GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import DONE, END, SSE_HEAD, ScriptedEngine, chunk, event, usage_event
from tests.gateway.stand import Raw, post

CANARY = "the-canary-sings"
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recording"


@pytest.fixture
def recording(engine: ScriptedEngine, folder: Path) -> Iterator[GatewayProcess]:
    with gateway(engine.url, record_dir=folder, max_active=1, queue_max=1, queue_timeout_s=0.3) as running:
        yield running


def rows(folder: Path) -> list[dict[str, Any]]:
    """All rows of the lines, by name, in order of the files."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        head, *lines = path.read_bytes().splitlines()
        columns = orjson.loads(head)["columns"]
        found += [dict(zip(columns, orjson.loads(line), strict=True)) for line in lines]
    return found


def rows_come(folder: Path, count: int) -> list[dict[str, Any]]:
    """The rows, once there are so many."""
    until(lambda: len(rows(folder)) >= count, 5, f"{count} rows")
    return rows(folder)


def test_both_sides_name_the_same_columns() -> None:
    """The gateway writes what the reader declares, in the same version."""
    assert row.TrafficRow._fields == record_row.COLUMNS
    assert row.SCHEMA_VERSION == record_row.SCHEMA_VERSION
    assert row.PREFIX_ENDS_BYTES == prefix_hashes.ENDS
    assert row.PREFIX_CHARACTERS == prefix_hashes.HASH_BYTES * 4 / 3


def test_an_answered_stream(engine: ScriptedEngine, recording: GatewayProcess, folder: Path) -> None:
    """Lengths from usage, sizes from the request, moments in their order."""
    script = [
        ["wait", 0.05],
        ["send", SSE_HEAD + chunk(event("a"))],
        ["wait", 0.05],
        ["send", chunk(event("b"))],
        ["wait", 0.05],
        ["send", chunk(usage_event(700, 2) + DONE) + END],
    ]
    body = {"messages": [{"role": "user", "content": "x" * 600}], "stream": True, "max_tokens": 9}
    headers = {"x-session-id": "chat 7"}
    status, _, _ = recording.ask("POST", "/v1/chat/completions", {**body, "script": script}, headers)
    (found,) = rows_come(folder, 1)
    assert status == 200
    assert (found["outcome"], found["status"], found["route"], found["lane"]) == ("ok", 200, "chat", "")
    assert (found["prompt_tokens"], found["output_tokens"], found["max_tokens"]) == (700, 2, 9)
    assert (found["prompt_bytes"], found["slots"], found["limits_version"]) == (600, 1, 1)
    assert len(found["prefix"]) == row.PREFIX_CHARACTERS  # 512 bytes
    assert len(found["session"]) == 8
    assert found["queue_s"] == 0
    assert 0.05 <= found["upstream_s"] <= found["first_s"]
    assert found["last_s"] >= 0.1
    assert found["finished_s"] >= 0.15
    assert found["first_s"] < found["last_s"] < found["finished_s"]


def test_what_was_not_answered(engine: ScriptedEngine, recording: GatewayProcess, folder: Path) -> None:
    """Refused at the door, timed out in the queue, left, broken off by the engine: a row each, nulls for
    what did not happen.
    """
    held, waiting, leaver = (Raw(recording.port) for _ in range(3))
    held.send(post({"script": [["gate", "held"], ["close"]]}))
    until(lambda: recording.state()["active"] == 1, 3)
    waiting.send(post({"messages": CHAT["messages"]}))
    until(lambda: recording.state()["queued"] == 1, 3)
    assert recording.chat()[0] == 429
    assert waiting.answer()[0] == 503
    engine.open_gate("held")
    assert held.answer()[0] == 502
    leaver.send(post({"script": [["hang"]]}))
    until(lambda: recording.state()["active"] == 1, 3)
    leaver.reset()
    held.close()
    waiting.close()
    found = {found["outcome"]: found for found in rows_come(folder, 4)}
    assert set(found) == {"rejected_full", "queue_timeout", "upstream_error", "client_abort"}
    refused = found["rejected_full"]
    assert refused["status"] == 429
    assert refused["body_bytes"] > 0
    assert {refused[name] for name in ("prompt_bytes", "prompt_tokens", "queue_s", "first_s", "slots")} == {
        None
    }
    assert 0 <= refused["finished_s"] < 1
    assert found["queue_timeout"]["queue_s"] >= 0.3
    assert found["queue_timeout"]["upstream_s"] is None
    assert found["client_abort"]["status"] == 499
    assert recording.metric("gateway_records_total") == 4
    assert recording.metric("gateway_records_lost_total") == 0


def test_the_lane_is_the_operators_name(engine: ScriptedEngine, tmp_path: Path, folder: Path) -> None:
    """Of the one that was served, and of the one that was refused at the door."""
    lanes = tmp_path / "lanes.toml"
    digest = sha256(b"a key").hexdigest()
    tenants = f'[[tenant]]\nname = "alice"\nkey_sha256 = "{digest}"\nclass = "batch"\n'
    lanes.write_text(f'[[class]]\nname = "batch"\n{tenants}[[tenant]]\nname = "other"\nclass = "batch"\n')
    settings = {"record_dir": folder, "lanes_file": lanes, "max_active": 1, "queue_max": 0}
    with gateway(engine.url, **settings) as running, Raw(running.port).socket as holding:
        holding.sendall(post({"script": [["gate", "held"], ["close"]]}, "authorization: Bearer a key"))
        until(lambda: running.state()["active"] == 1, 3)
        assert running.chat()[0] == 429
        engine.open_gate("held")
        found = {found["outcome"]: found["lane"] for found in rows_come(folder, 2)}
    assert found == {"rejected_full": "other/batch", "upstream_error": "alice/batch"}


def test_prompts_that_begin_alike(recording: GatewayProcess, folder: Path) -> None:
    """Hash k is equal exactly where the first k blocks are; a session has one hash, another one another."""
    common = "be brief. " * 110  # 1,100 bytes: 1,024 of them are covered
    for k, session in enumerate(("one", "one", "two")):
        messages = [{"role": "system", "content": common}, {"role": "user", "content": f"{k}" * 3000}]
        recording.ask("POST", "/v1/chat/completions", {"messages": messages}, {"x-session-id": session})
    found = rows_come(folder, 3)
    prefixes = [found_row["prefix"] for found_row in found]
    assert [len(prefix) for prefix in prefixes] == [4 * 8] * 3  # up to 4,096
    assert len({prefix[: 2 * 8] for prefix in prefixes}) == 1
    assert len({prefix[2 * 8 : 3 * 8] for prefix in prefixes}) == 3
    assert found[0]["session"] == found[1]["session"] != found[2]["session"]


def test_no_text_is_in_any_file(engine: ScriptedEngine, tmp_path: Path, folder: Path) -> None:
    """Not of prompts and answers, nor of what else a client or the engine can write: names of models,
    users, sessions, requests, keys, headers, errors.
    """
    folder.mkdir()
    answer = chunk(event(CANARY) + usage_event() + DONE)
    with gateway(engine.url, record_dir=folder, log_level="debug") as running:
        for route in ("chat/completions", "completions"):
            fields = {
                "model": CANARY,
                "user": CANARY,
                "prompt": CANARY * 99,
                "messages": [{"role": CANARY, "content": [{"type": "text", "text": CANARY * 99}]}],
                "stream": True,
                "script": [["send", SSE_HEAD + answer + END]],
            }
            headers = dict.fromkeys(("x-session-id", "x-request-id", "authorization", "user-agent"), CANARY)
            status, _, body = running.ask("POST", f"/v1/{route}?{CANARY}", fields, headers)
            assert status == 200
            assert CANARY.encode() in body
        running.chat(script=[["send", f"HTTP/1.1 500 {CANARY}\r\ncontent-length: 16\r\n\r\n{CANARY}"]])
        rows_come(folder, 3)
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.parent for path in kept} == {folder, tmp_path}  # the rows, and the salt beside them
        for path in kept:
            assert CANARY.encode() not in path.read_bytes(), path
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_the_same_salt_the_next_day(engine: ScriptedEngine, folder: Path) -> None:
    """A restart goes on with the salt that is there: hashes stay comparable; another one makes others."""
    body = {"messages": [{"role": "user", "content": "x" * 600}]}
    salt = folder.with_name("recording.salt")
    for _ in range(2):
        with gateway(engine.url, record_dir=folder) as running:
            running.chat(**body)
            running.popen.terminate()
            assert running.popen.wait(10) == 0
    salt.unlink()
    with gateway(engine.url, record_dir=folder) as running:
        running.chat(**body)
        before, after, other = (found["prefix"] for found in rows_come(folder, 3))
    assert before == after != other
    heads = [orjson.loads(path.read_bytes().splitlines()[0]) for path in sorted(folder.glob("*.jsonl"))]
    assert [head["schema_version"] for head in heads] == [1, 1, 1]
    assert heads[0]["salt_id"] == heads[1]["salt_id"] != heads[2]["salt_id"]


def test_a_kill_loses_less_than_a_second(recording: GatewayProcess, folder: Path) -> None:
    """A row waits for the next write, a quarter of a second, and what was written a kill -9 does not take."""
    assert WRITES_EVERY_S < 0.5
    for _ in range(200):
        assert recording.chat()[0] == 200
    until(lambda: recording.metric("gateway_records_total") == 200, 10, "200 rows written")
    recording.popen.send_signal(signal.SIGKILL)
    recording.popen.wait(10)
    assert len(rows(folder)) == 200


def test_what_a_killed_gateway_left_becomes_a_table(engine: ScriptedEngine, folder: Path) -> None:
    """Another process makes it, beside the one that serves; the open segment stays lines. No row is lost."""
    with gateway(engine.url, record_dir=folder) as running:
        assert running.chat()[0] == 200
        rows_come(folder, 1)
    (left,) = folder.iterdir()
    head, one = left.read_bytes().splitlines(keepends=True)
    left.write_bytes(head + one * 1000)
    with gateway(engine.url, record_dir=folder) as running:
        until(lambda: list(folder.glob("*.parquet")), 30, "a table")
        until(lambda: not left.exists(), 5, "its lines are gone")
        assert running.chat()[0] == 200
        rows_come(folder, 1)
        assert table.read(folder).table.num_rows == 1001
        assert "segments stay lines" not in running.log()


def test_a_removed_folder_costs_nobody_a_request(recording: GatewayProcess, folder: Path) -> None:
    """Rows go on in a new folder; where none can be made they are lost, counted, and it is said once."""
    assert recording.chat()[0] == 200
    rows_come(folder, 1)
    shutil.rmtree(folder)
    assert recording.chat()[0] == 200
    assert len(rows_come(folder, 1)) == 1
    assert recording.metric("gateway_records_lost_total") == 0
    shutil.rmtree(folder.parent)
    for k in range(1, 4):
        assert recording.chat()[0] == 200
        until(lambda k=k: recording.metric("gateway_records_lost_total") == k, 5, f"{k} lost")  # type: ignore[misc]
    folder.parent.mkdir()
    assert recording.chat()[0] == 200
    assert len(rows_come(folder, 1)) == 1
    until(lambda: "records are kept again" in recording.log(), 5)
    lines = [json.loads(line) for line in recording.log().splitlines()]
    said = [line for line in lines if line["event"].startswith("records are")]
    assert [line["event"] for line in said] == ["records are lost", "records are kept again"]
    assert said[0]["why"] == "No such file or directory"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_costs_rows_and_no_request(engine: ScriptedEngine, tmp_path: Path) -> None:
    """A disk of a few pages: what does not fit is lost, counted; every line on it is whole. Once there
    is room again rows are kept again.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "none", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        folder = disk / "recording"
        settings = {"record_dir": folder, "record_salt_file": tmp_path / "salt"}
        with gateway(engine.url, **settings) as running:
            ballast = disk / "ballast"
            ballast.write_bytes(b"\0" * 12_288)
            sent = 0
            while running.metric("gateway_records_lost_total") < 20:
                assert running.chat()[0] == 200
                sent += 1
            until(lambda: running.metric("gateway_records_total") + running.metric(
                "gateway_records_lost_total") == sent, 5, "every row is written or lost")  # fmt: skip
            kept = int(running.metric("gateway_records_total"))
            assert len(rows(folder)) == kept > 0
            ballast.unlink()
            assert running.chat()[0] == 200
            until(lambda: len(rows(folder)) == kept + 1, 5, "rows are kept again")
            until(lambda: "records are kept again" in running.log(), 5)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def start(folder: Path, **settings: object) -> tuple[int, str]:
    """What a gateway says that should not start: status and last words."""
    environ = {name.upper(): str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--gateway-port", str(free_port())],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "RECORD_DIR": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr.strip()


def test_mistakes_end_the_start(folder: Path) -> None:
    """A folder that is none, a salt that others can read, that is none, or that lies among the rows: one
    sentence, status 2.
    """
    salt = folder.with_name("recording.salt")
    salt.write_bytes(b"1234")
    salt.chmod(0o644)
    loose = f"gateway: RECORD_SALT_FILE={salt}: can be read by others (mode 644); allowed: mode 600"
    assert start(folder) == (2, loose)
    salt.chmod(0o600)
    short = f"gateway: RECORD_SALT_FILE={salt}: holds 4 bytes; allowed: 32, or no file, and one is made"
    assert start(folder) == (2, short)
    inside = folder / "salt"
    assert start(folder, record_salt_file=inside) == (
        2,
        f"gateway: RECORD_SALT_FILE={inside}: allowed: a file outside of RECORD_DIR",
    )
    assert start(salt) == (2, f"gateway: RECORD_DIR={salt}: cannot be written: File exists")
    status, said = start(folder, record_max_bytes=5)
    assert status == 2
    assert said.startswith("gateway: RECORD_MAX_BYTES='5': input should be greater than or equal to 8388608")
