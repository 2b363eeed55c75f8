"""Stamps: dates with their zones on one clock, numbers in the unit that is told, known or evident."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.planning.trace_files.trace import TraceError
from loadtests.planning.trace_files.units import TraceUnit
from tests.loadtests.planning.trace_data import stored, written

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def gap_s(tmp_path: Path, first: str, second: str) -> float:
    return float(written(tmp_path, f"{AZURE}{first},10,5\n{second},10,5\n").arrival_s[1])


@pytest.mark.parametrize(
    ("first", "second", "apart_s"),
    [
        ("2023-11-16 18:15:46.6805900", "2023-11-16 18:15:50.9951690", 4.314579),
        ("2024-05-10 00:00:00.009930+00:00", "2024-05-10 00:00:01.017335+00:00", 1.007405),
        ("2024-05-10 00:00:00.5-05:00", "2024-05-10 05:00:01.25Z", 0.75),
        ("2024-05-10T00:00:00-0330", "2024-05-10T00:00:02-0330", 2.0),
        ("2024-05-10 00:00:00 UTC", "2024-05-10 05:45:03 +05:45", 3.0),
        ("2024-05-10 23:59:59.9-07", "2024-05-11 00:00:00.1-07", 0.2),
        ("2023/1/6 8:05:01", "2023/1/6 8:05:03", 2.0),
        ("2023/11/16 18:15", "2023/11/16 18:17", 120.0),
        ("2023-11-16 18:15:46,250", "2023-11-16 18:15:47,000", 0.75),
        ("1700000000.25", "1700000001", 0.75),
        ("1700000000250", "1700000001000", 0.75),
        ("1700000000250000", "1700000001000000", 0.75),
        ("1700000000250000000", "1700000001000000000", 0.75),
    ],
)
def test_gaps_are_in_absolute_time(tmp_path: Path, first: str, second: str, apart_s: float) -> None:
    """With and without zones, seven digits of a second, a spreadsheet's slashes, and counts since 1970."""
    if "," in first:
        first, second = f'"{first}"', f'"{second}"'
    assert gap_s(tmp_path, first, second) == pytest.approx(apart_s, abs=1e-6)


def test_order_is_that_of_absolute_time(tmp_path: Path) -> None:
    """A later reading of the wall may be the earlier moment."""
    trace = written(tmp_path, AZURE + "2024-05-10 12:00:00+02:00,1,5\n2024-05-10 09:59:59-00:00,2,5\n")
    assert trace.prompt_tokens.tolist() == [2, 1]
    assert trace.arrival_s.tolist() == [0.0, 1.0]


def lengths(*stamps: object, extra: str = "") -> str:
    return "".join(f'{{"timestamp": {s}, "input_length": 9, "output_length": 3{extra}}}\n' for s in stamps)


HASHES = ', "hash_ids": [1]'
CHAT = ', "chat_id": 1, "parent_chat_id": -1'


@pytest.mark.parametrize(
    ("content", "span_s", "why"),
    [
        (lengths(0, 3000, extra=HASHES), 3.0, "milliseconds: hash_ids are there"),
        (lengths(0, 3000.0, extra=HASHES), 3.0, "milliseconds: hash_ids are there"),
        (lengths(0, 30.5, extra=HASHES), 30.5, "seconds: they are written with decimals"),
        (lengths(0, 30, extra=CHAT), 30.0, "seconds: chat_id is there"),
        (lengths(0, 30.5, extra=', "session_id": "a", "delay": 0'), 0.0305, "milliseconds: delay is there"),
        (lengths(0, 3000, extra=', "session_id": "a"'), 3.0, "milliseconds: session_id is there"),
        (lengths(0, 2, 4, 7), 7.0, "seconds: as milliseconds they would be 429 requests/s"),
        (lengths(0, 700, 1500), 1.5, "milliseconds: as seconds they would be one request in 750 s"),
        (lengths(0, 700.0, 1500.0), 1.5, "milliseconds: as seconds they would be one request in 750 s"),
        (lengths(0.0, 40.0, 80.0), 80.0, "seconds: they are written with decimals"),
        (lengths(1754000000, 1754000002), 2.0, "seconds: they count from 1970"),
        (lengths(1754000000000, 1754000002000, extra=HASHES), 2.0, "milliseconds: they count from 1970"),
        (lengths(12, 12, 12), 0.0, ""),
    ],
)  # fmt: skip
def test_the_unit_and_why(tmp_path: Path, content: str, span_s: float, why: str) -> None:
    """What the format defines, else what is evident; always with a reason."""
    trace = written(tmp_path, content, "trace.jsonl")
    if span_s:
        assert trace.span_s == pytest.approx(span_s)
    assert why in " / ".join(trace.notes)


@pytest.mark.parametrize("content", [lengths(0, 40, 80), lengths(0, 700.5, 1500.25)])
def test_an_open_unit_is_asked_for(tmp_path: Path, content: str) -> None:
    """Nothing tells, or two signs disagree: nobody guesses."""
    with pytest.raises(TraceError, match="say --trace-unit s or ms"):
        written(tmp_path, content, "trace.jsonl")


@pytest.mark.parametrize(("unit", "span_s"), [(TraceUnit.SECONDS, 44.25), (TraceUnit.MILLISECONDS, 0.04425)])
def test_what_is_told_decides(unit: TraceUnit, span_s: float) -> None:
    """Over the format's own unit, and with a note."""
    trace = stored("bailian.jsonl", unit)
    assert trace.span_s == pytest.approx(span_s)
    assert any(note.endswith(", as told") for note in trace.notes)


def test_what_is_told_answers_the_question() -> None:
    """The file that leaves it open."""
    assert stored("lengths_unit_unknown.jsonl", TraceUnit.SECONDS).span_s == 160.0
    assert stored("lengths_unit_unknown.jsonl", TraceUnit.MILLISECONDS).span_s == pytest.approx(0.16)


def test_dates_have_no_unit() -> None:
    """They are read as they are, and it is said that the unit was not used."""
    trace = stored("azure_2024.csv", TraceUnit.MILLISECONDS)
    assert trace.span_s == 2.25
    assert "the stamps are dates: the given unit is not used" in trace.notes


def test_an_unlikely_rate_is_said(tmp_path: Path) -> None:
    """Mooncake's columns with whole seconds: read as Mooncake defines them, with a hint."""
    trace = written(tmp_path, lengths(*range(5), extra=HASHES), "trace.jsonl")
    assert trace.span_s == pytest.approx(0.004)
    assert "1e+03 requests/s: if they are seconds, say --trace-unit s" in " ".join(trace.notes)
