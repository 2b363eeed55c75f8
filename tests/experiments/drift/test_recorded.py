"""Rounds of what users got: who was in flight follows from the rows; a slow-down is found and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from experiments import watch
from experiments.drift.recorded import mean_in_flight, rounds_of
from experiments.errors import UserError
from gateway import record_row
from loadtests.traffic import table
from loadtests.traffic.row import TrafficRow
from tests.loadtests.traffic.test_traffic import NAMES, START_S

TOKENS = 101
HOUR_S = 3600.0


def row(at_s: float, queue_s: float | None, tpot_s: float, tokens: int = TOKENS) -> TrafficRow:
    """A served stream: first token 0.1 s after its slot, then one each `tpot_s`."""
    first_s = (queue_s or 0.0) + 0.1
    last_s = first_s + (tokens - 1) * tpot_s
    return TrafficRow(
        START_S + at_s, "chat", "", "", "ok", 200, 900, 800, 1, tokens, 300, tokens, queue_s, 0.05, first_s,
        last_s, last_s, 1, "",
    )  # fmt: skip


def record(folder: Path, rows: list[TrafficRow]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = b"".join(orjson.dumps(list(one), option=orjson.OPT_APPEND_NEWLINE) for one in rows)
    (folder / f"{NAMES[0]}.jsonl").write_bytes(record_row.head("instance", "salt") + lines)
    return folder


def month(seed: int, slower_from_s: float) -> list[TrafficRow]:
    """Two days, eight answers in each 5 minutes; from that second on 12 % slower."""
    rng = np.random.default_rng(seed)
    at_s = np.sort(rng.uniform(0.0, 48 * HOUR_S, 48 * 12 * 8))
    tpot_s = 0.02 * rng.lognormal(0.0, 0.08, len(at_s)) * np.where(at_s >= slower_from_s, 1.12, 1.0)
    return [row(at, 0.0, tpot) for at, tpot in zip(at_s.tolist(), tpot_s.tolist(), strict=True)]


def test_in_flight_is_the_mean_over_the_stretch() -> None:
    """Two requests: [0, 10) and [5, 15): over [0, 10) one and a half on average, over [6, 9) two."""
    begun_s, ended_s = np.array([0.0, 5.0]), np.array([10.0, 15.0])
    found = mean_in_flight(begun_s, ended_s, np.array([0.0, 6.0, 12.0]), np.array([10.0, 9.0, 20.0]))
    assert found.tolist() == pytest.approx([1.5, 2.0, 3 / 8])


def test_others_in_flight_are_those_that_held_a_slot(tmp_path: Path) -> None:
    """Five alike at once: each has four others; who waits 3 s for its slot is none of them until then; short
    answers say nothing of the time per token."""
    rows = [row(1.0, 0.0, 0.02) for _ in range(5)] + [row(1.0, 3.0, 0.02), row(1.0, 0.0, 0.0001, 3)]
    (first, *_) = rounds_of(table.traffic(record(tmp_path / "r", rows)), 60.0)
    assert len(first.tpot_s) == 6
    assert sorted(first.in_flight) == pytest.approx([0.0, 4.0, 4.0, 4.0, 4.0, 4.0], abs=0.01)


def test_rounds_without_enough_answers_say_nothing(tmp_path: Path) -> None:
    rows = [row(float(k), 0.0, 0.02) for k in range(8)] + [row(130.0, 0.0, 0.02)]
    found = rounds_of(table.traffic(record(tmp_path / "r", rows)), 60.0)
    assert [len(one.tpot_s) for one in found] == [8, 0, 0]
    assert [one.at_unix_s - START_S for one in found] == [60.0, 120.0, 180.0]


def test_a_slow_down_in_a_recording_is_found_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = record(tmp_path / "r", month(1, 36 * HOUR_S))
    assert watch.main(["--recorded", str(folder), "--learn", "24h"]) == 20
    said = capsys.readouterr().out
    # 36 h after 2025-11-24 16:00: found within the hour.
    assert "2025-11-26 04:" in said
    assert "% slower than the baseline" in said
    (size,) = {line for line in said.splitlines() if line.endswith("% slower")}
    assert size.split()[-3] in ("10", "11", "12", "13", "14")


def test_a_recording_in_which_nothing_happened_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = record(tmp_path / "r", month(2, 1e9))
    assert watch.main(["--recorded", str(folder), "--learn", "24h"]) == 0
    assert "as fast as the baseline" in capsys.readouterr().out
    assert watch.main(["--recorded", str(folder), "--learn", "46h"]) == 21


def test_too_little_to_learn_from_and_wrong_flags_are_one_sentence(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", month(3, 1e9)[:100])
    with pytest.raises(UserError, match="a baseline takes 48 rounds"):
        watch.main(["--recorded", str(folder)])
    with pytest.raises(UserError, match="one of them"):
        watch.main([])
    with pytest.raises(UserError, match="needs --model"):
        watch.main(["--gateway-url", "http://127.0.0.1:1"])
    with pytest.raises(UserError, match="No such file"):
        watch.main(["--recorded", str(tmp_path / "none")])
