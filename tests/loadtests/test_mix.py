"""A load of several classes, sent for real: lanes in headers, classes in records, each judged by its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.loadtests.harness import run, upstream

MIX = "short=16x4:0.75@alice/interactive,long=64x16:0.25@bob"
FLAGS = (
    *("--mix", MIX, "--rate", "40", "--warmup", "0.5", "--duration", "3", "--seed", "4"),
    *("--slo", "ttft<=1ms,attainment>=0.9;short:ttft<=5s,attainment>=0.9"),
)


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one process", "two workers"])
def test_every_request_says_its_lane_and_is_judged_by_its_class(
    tmp_path: Path, processes: tuple[str, ...]
) -> None:
    """Also where workers send it: `long`, judged by the common objective that nothing can meet, is missed."""
    with upstream(tmp_path) as server:
        ran = run(server.url, tmp_path / "run", *FLAGS, *processes, "--gate")
        log = {entry["id"]: entry for entry in server.log()}
    ran.assert_conserved()
    lanes = {"short": ["alice", "interactive"], "long": ["bob", None]}
    planned = {arrival.i: arrival for arrival in ran.folder.plan().arrivals}
    for record in ran.records:
        entry = log[record.request_id]
        assert record.cls == planned[record.i].cls
        assert entry["lane"] == lanes[record.cls], "a header of another class"
        assert entry["request"]["max_tokens"] == {"short": 4, "long": 16}[record.cls]
    assert set(Counter(record.cls for record in ran.records)) == {"short", "long"}
    classes = ran.load["summary"]["classes"]
    assert classes["short"]["attainment"] == 1.0
    assert classes["long"]["attainment"] == 0.0
    assert ran.load["summary"]["attainment"] == pytest.approx(0.75, abs=0.15)
    assert ran.load["slo"].split(";")[1:] == [
        "short:ttft<=5s,attainment>=0.9", "long:ttft<=1ms,attainment>=0.9",
    ]  # fmt: skip
    assert ran.load["workload"] == MIX
    shares = ran.load["summary"]["fairness"]
    assert [one["tenant"] for one in shares["tenants"]] == ["alice", "bob"]
    assert shares["jain"] == pytest.approx(1.0)
    assert ran.code in (10, 11), "the gate: a class is missed (11: the machine was busy)"
    said = " ".join(ran.output.split())
    assert "short ttft<=5s,attainment>=0.9: met" in said
    assert "long ttft<=1ms,attainment>=0.9: missed" in said


def test_a_load_without_a_mix_sends_no_lane(tmp_path: Path) -> None:
    """As ever."""
    with upstream(tmp_path) as server:
        ran = run(server.url, tmp_path / "run", "--rate", "20", "--warmup", "0", "--duration", "1")
        lanes = [entry["lane"] for entry in server.log()]
    ran.assert_conserved()
    assert lanes
    assert all(lane == [None, None] for lane in lanes)
    assert ran.load["summary"]["classes"] is None
    assert ran.load["summary"]["fairness"] is None
