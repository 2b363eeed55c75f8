"""Sessions against real servers: nothing leaves before the answer that it quotes, whoever sends it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadtests.outcome import Outcome
from tests.gateway.process import gateway
from tests.loadtests.harness import Ran, run, upstream

LOOPS = (
    "--turns", "2", "--turn-gap-s", "0.05", "--tool-calls", "1.5", "--tool-s", "0.03", "--turn-tokens", "5",
    "--prompt-tokens", "10", "--output-tokens", "3",
)  # fmt: skip
FAST = {"ttft_s": 0.004, "gap_s": 0.002}
MOSTLY = ["ok"] * 12 + ["500"] + ["ok"] * 7 + ["close_mid"] + ["ok"] * 4 + ["429"]


def check_order(ran: Ran, log: list[dict[str, float]]) -> Counter[str]:
    """By the server's own clock no request came before all that it follows had been answered; what follows a
    failure was never sent. Counts what was seen."""
    ran.assert_conserved()
    records = {record.i: record for record in ran.records}
    at_server = {int(str(entry["id"]).rpartition("-")[2]): entry for entry in log}
    seen: Counter[str] = Counter()
    for arrival in ran.folder.plan().arrivals:
        record = records[arrival.i]
        assert (record.turn, record.think_s, record.session) == (
            arrival.turn,
            arrival.think_s,
            arrival.session,
        )
        answered = [records[j].outcome is Outcome.OK for j in arrival.after]
        if not all(answered):
            assert record.outcome is Outcome.NOT_SENT
            assert arrival.i not in at_server
            seen["lost"] += 1
            continue
        for j in arrival.after:
            end_s = records[j].finished_s
            assert end_s is not None
            assert record.sent_s is not None
            assert at_server[arrival.i]["received_s"] >= at_server[j]["end_s"], "before its answer"
            assert record.due_s >= end_s + arrival.think_s - 2e-6
            assert record.sent_s >= record.due_s - 1e-6
        if arrival.after:
            last_s = max(records[j].finished_s or 0.0 for j in arrival.after)
            assert record.due_s == pytest.approx(max(arrival.due_s, last_s + arrival.think_s), abs=2e-6)
        seen["followed" if arrival.after else "began"] += 1
        seen[str(record.outcome)] += 1
    return seen


def sessions_of(ran: Ran) -> int:
    return len({arrival.session for arrival in ran.folder.plan().arrivals})


@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one process", "two workers"])
def test_a_turn_waits_for_its_answer(more: tuple[str, ...], tmp_path: Path) -> None:
    """With failures among the answers; the summary counts sessions over those that were offered."""
    length = ("--rate", "120", "--warmup", "0.3", "--duration", "1.5", "--drain", "20", "--seed", "3")
    with upstream(tmp_path, behaviours=MOSTLY, **FAST) as server:
        ran = run(server.url, tmp_path / "run", *LOOPS, *length, *more, "--slo", "ttft<=5s")
        seen = check_order(ran, server.log())
    assert seen["followed"] > 100
    assert seen["lost"] > 5
    plan, records = ran.folder.plan(), {record.i: record for record in ran.records}
    measured: dict[int, list[bool]] = {}
    for arrival in plan.arrivals:
        if arrival.phase == "measure":
            measured.setdefault(arrival.session, []).append(records[arrival.i].outcome is Outcome.OK)
    found = ran.load["summary"]["sessions"]
    assert found["offered"] == len(measured)
    assert found["served"] == found["good"] == sum(all(ok) for ok in measured.values()) < len(measured)
    assert f"{found['good']} of {found['offered']} offered sessions good" in ran.output


def test_a_run_that_is_ended_has_all_its_records(tmp_path: Path) -> None:
    """Those that pause, those that wait for an answer and those that follow these, each once."""
    length = ("--rate", "60", "--warmup", "0", "--duration", "30", "--run-time", "2", "--turn-gap-s", "2")
    with upstream(tmp_path, ttft_s=0.3, gap_s=0.01) as server:
        ran = run(server.url, tmp_path / "run", *LOOPS, *length)
    ran.assert_conserved()
    assert set(ran.outcomes) == {"ok", "cut", "not_sent"}


def test_a_tool_result_goes_back_as_one(tmp_path: Path) -> None:
    """Behind the call that it answers, with the same id; the conversation begins as it began before."""
    with upstream(tmp_path, **FAST) as server:
        ran = run(
            server.url, tmp_path / "run", *LOOPS, "--rate", "30", "--warmup", "0", "--duration", "1",
        )  # fmt: skip
        sent = {int(entry["id"].rpartition("-")[2]): entry["messages"] for entry in server.log()}
    results = [arrival for arrival in ran.folder.plan().arrivals if arrival.role == "tool"]
    assert results
    for arrival in results:
        *before, call, result = sent[arrival.i]
        assert before == sent[arrival.quotes]
        (called,) = call["tool_calls"]
        assert (call["role"], result["role"]) == ("assistant", "tool")
        assert called["id"] == result["tool_call_id"]


@pytest.mark.parametrize("says", ["tool", "reasoning"])
def test_every_answer_has_a_first_token_wherever_it_is_looked_for(says: str, tmp_path: Path) -> None:
    """An answer of calls or thoughts alone: client and gateway have a TTFT of each, within a bucket."""
    with (
        upstream(tmp_path, behaviours=[says], ttft_s=0.08, gap_s=0.004) as server,
        gateway(server.url, max_active=64) as front,
    ):
        ran = run(
            front.url, tmp_path / "run", *LOOPS, "--rate", "40", "--warmup", "0", "--duration", "1.5",
        )  # fmt: skip
        page = front.get("/metrics")[2].decode()
    records = ran.records
    assert {record.outcome for record in records} == {"ok"}
    assert all(record.ttft_s is not None for record in records)
    assert all((record.visible_s is None) == (says == "reasoning") for record in records)
    bounds = [line for line in page.splitlines() if line.startswith("gateway_ttft_seconds_bucket")]
    edges = [(float(one.split('le="')[1].split('"')[0]), float(one.rsplit(" ", 1)[1])) for one in bounds]
    assert edges[-1][1] == len(records), "the gateway has one of each"
    at_client = sorted(record.ttft_from_send_s or 0.0 for record in records)
    for share in (0.5, 0.95):
        place = share * len(records)
        k = next(k for k, (_, n) in enumerate(edges) if n >= place)
        low = edges[k - 2][0] if k > 1 else 0.0
        assert low <= at_client[int(place)] <= edges[k + 1][0]


@pytest.mark.prove
@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one process", "two workers"])
def test_ten_thousand_sessions_and_none_too_early(more: tuple[str, ...], tmp_path: Path) -> None:
    """With failures among the answers, by the server's clock."""
    length = ("--rate", "300", "--warmup", "0", "--duration", "175", "--drain", "60", "--seed", "11")
    loops = ("--turns", "2", "--turn-gap-s", "0.05", "--tool-calls", "1.5", "--tool-s", "0.03", *LOOPS[8:])
    with upstream(tmp_path, behaviours=MOSTLY * 3 + ["ok"] * 100, **FAST) as server:
        ran = run(server.url, tmp_path / "run", *loops, *length, *more, deadline_s=380)
        seen = check_order(ran, server.log())
    print(f"{sessions_of(ran)} sessions, {dict(seen)}, generator {ran.load['send_lag']}")
    assert sessions_of(ran) >= 10_000
    assert seen["followed"] > 20_000
    assert seen["lost"] > 1000
