"""Stamps that were rounded do not send batches: one rule for every format, seeded, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.planning.trace_files.ticks import spread
from tests.loadtests.planning.trace_data import stored, written

MOONCAKE = "".join(
    f'{{"timestamp": {stamp}, "input_length": {n}, "output_length": 52, "hash_ids": [{h}, 1]}}\n'
    for stamp, n, h in [
        (0, 6758, 46),
        (0, 7322, 46),
        (0, 7237, 47),
        (3000, 2290, 0),
        (3000, 100, 5),
        (6000, 5, 6),
    ]
)


def test_the_requests_of_one_second_are_spread_inside_it() -> None:
    """Each stays in its second, in the order of the file; the seed decides where."""
    trace = stored("burstgpt_ticks.csv")
    starts_s = np.repeat([0.0, 1.0, 3.0], 6)
    offset_s = trace.arrival_s - starts_s
    assert np.ptp(offset_s) < 1.0
    assert (np.diff(trace.arrival_s) > 0).all()
    assert trace.prompt_tokens.tolist() == [100, 101, 102, 103, 104, 105] * 3
    assert "stamps are 1 s ticks: 18 arrivals that share one are spread inside it (seed 1)" in trace.notes
    assert (stored("burstgpt_ticks.csv").arrival_s == trace.arrival_s).all()
    assert (stored("burstgpt_ticks.csv", seed=2).arrival_s != trace.arrival_s).any()


def test_mooncake_ticks_are_spread(tmp_path: Path) -> None:
    """Stamps of 3 s ticks would send all of a tick at once: they are spread inside it, and it is said."""
    trace = written(tmp_path, MOONCAKE, "trace.jsonl")
    gaps_s = np.diff(trace.arrival_s)
    assert (gaps_s > 0).all()
    assert gaps_s[:2].sum() < 3.0
    assert gaps_s[3] < 3.0
    assert trace.prefix_group.tolist() == [0, 0, 1, 2, 3, 4]
    assert "3 s ticks" in " ".join(trace.notes)


def of(stamps_s: list[float], unit_s: float = 1.0, *, whole_minutes: bool = False) -> tuple[list[float], str]:
    found, notes = spread(np.array(stamps_s), unit_s, 1, whole_minutes=whole_minutes)
    return found.tolist(), " ".join(notes)


@pytest.mark.parametrize(
    ("stamps_s", "unit_s", "tick"),
    [
        ([4.0, 4.0, 7.0], 1.0, "1 s"),
        ([4.0, 4.0, 7.0], 1e-3, "1 s"),
        ([8.0] * 5, 1.0, "1 s"),
        ([5.0, 5.0, 5.0, 8.0, 8.0, 8.0, 11.0, 11.0], 1.0, "1 s"),
        ([float(15 * k) for k in range(12)] * 3, 1.0, "15 s"),
        ([3.053 * k for k in range(8)] * 4, 1e-3, "3.053 s"),
        ([60.0, 60.0, 180.0], 1.0, "1 s"),
    ],
)
def test_what_the_tick_is(stamps_s: list[float], unit_s: float, tick: str) -> None:
    """A second where stamps are whole; a slower clock only where enough of them show it."""
    assert f"stamps are {tick} ticks" in of(stamps_s, unit_s)[1]


def test_dates_without_seconds_are_rounded_to_a_minute() -> None:
    """What a spreadsheet leaves of a date."""
    found, note = of([60.0, 60.0, 180.0], whole_minutes=True)
    assert "stamps are 60 s ticks" in note
    assert 60.0 <= found[0] < found[1] < 120.0
    assert found[2] == 180.0


@pytest.mark.parametrize(
    "stamps_s", [[1.0, 2.0, 3.0], [0.001, 0.001, 0.002, 0.009], [0.5, 0.5, 2.25, 2.25], [1.0, 1.5, 1.5]]
)
def test_what_is_no_tick_stays(stamps_s: list[float]) -> None:
    """Nobody shares a stamp, or the stamps are finer than a second: those who share one came together."""
    assert of(stamps_s, 1e-3) == (stamps_s, "")


def test_the_spread_is_uniform() -> None:
    """As the arrivals of a Poisson process whose counts are known.

    Of k = 5 uniform places in each tick of 1 s, k - 1 gaps are Beta(1, k), and one, over the edge, is the sum
    of two such. E[gap²] = ((k - 1)·2/((k + 1)(k + 2)) + 2k/((k + 1)²(k + 2)) + 4/(k + 1)²)/k = 0.0683, the
    mean is 1/k: a coefficient of variation of 0.84.
    """
    stamps_s = np.repeat(np.arange(2000.0), 5)
    found, _ = spread(stamps_s, 1.0, 3, whole_minutes=False)
    gaps_s = np.diff(found)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(0.84, abs=0.02)
    assert (np.floor(found) == stamps_s).all()
