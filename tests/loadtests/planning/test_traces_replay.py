"""A trace is scaled as asked and becomes a plan; what was changed is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.planning.mix import Mix
from loadtests.planning.trace_files.replay import TraceScale, replay, scaled
from loadtests.planning.trace_files.trace import Trace, TraceError
from tests.loadtests.planning.trace_data import stored, written

OURS = """arrival_s,prompt_tokens,output_tokens,session,prefix_group,class
10.5,100,20,a,g,chat
10.0,50,10,a,,chat
11.0,70,5,b,g,code
"""


def test_scaling_by_time_keeps_the_shape(tmp_path: Path) -> None:
    """Gaps shrink by one factor; the rate is the one asked for."""
    trace = written(tmp_path, OURS)
    faster = scaled(trace, 30.0, TraceScale.TIME, 0)
    assert faster.rate_per_s == pytest.approx(30.0)
    assert (faster.arrival_s * 10).tolist() == pytest.approx(trace.arrival_s.tolist())


def even(n: int, rate_per_s: float) -> Trace:
    ones = np.ones(n, dtype=np.int64)
    return Trace("t", np.arange(n) / rate_per_s, ones, ones, -ones, -ones, ("x",) * n)


def test_thinning_keeps_the_clock() -> None:
    """Each request stays or goes; times are untouched; a trace cannot be thinned to more than it has."""
    trace = even(20_000, 10.0)
    thin = scaled(trace, 2.5, TraceScale.THIN, 3)
    assert thin.rate_per_s == pytest.approx(2.5, rel=0.05)
    assert set(thin.arrival_s) <= set(trace.arrival_s)
    with pytest.raises(TraceError, match="cannot exceed"):
        scaled(trace, 20.0, TraceScale.THIN, 3)


def test_replay_clips_and_says_so(tmp_path: Path) -> None:
    """A plan of the trace: its window, its lengths within the limit, its sessions' turns."""
    made = replay(
        written(tmp_path, OURS),
        rate_per_s=0,
        warm_up_s=0.2,
        measure_s=0.6,
        seed=1,
        mix=Mix(max_prompt_tokens=80),
    )
    assert [a.due_s for a in made.arrivals] == [0.0, 0.5]
    assert [a.phase for a in made.arrivals] == ["warm_up", "measure"]
    assert [a.prompt_tokens for a in made.arrivals] == [50, 80]
    assert [a.turn for a in made.arrivals] == [0, 1]
    assert any("50.0% of the prompt lengths were clipped" in note for note in made.header.notes)
    assert any("2 of 3 requests" in note for note in made.header.notes)


def test_what_reading_did_is_in_the_plan() -> None:
    """The plan's header, which `load.json` repeats, has the notes of the file."""
    made = replay(stored("bailian.jsonl"), rate_per_s=0, warm_up_s=0, measure_s=60, seed=1, mix=Mix())
    assert any("taken as seconds: chat_id" in note for note in made.header.notes)


@pytest.mark.parametrize(
    ("rate_per_s", "said"),
    [
        (2.0, r"rate = 2: headroom_one_row.csv has no span that could be scaled \(1 arrival\)"),
        (-1.0, "rate = -1: must be 0"),
        (float("nan"), "rate = nan: must be 0"),
        (float("inf"), "rate = inf: must be 0"),
        (5e-324, "must be 0 .as recorded., or 1e-09 to 1e.09 requests per second"),
    ],
)
def test_a_rate_that_cannot_be(rate_per_s: float, said: str) -> None:
    """One sentence; a trace of one row has no rate that could be scaled."""
    with pytest.raises(TraceError, match=said):
        replay(
            stored("headroom_one_row.csv"), rate_per_s=rate_per_s, warm_up_s=0, measure_s=5, seed=1, mix=Mix()
        )


def test_one_row_is_played_as_recorded() -> None:
    """With rate 0."""
    trace = stored("headroom_one_row.csv")
    made = replay(trace, rate_per_s=0, warm_up_s=0, measure_s=5, seed=1, mix=Mix())
    assert [(a.due_s, a.prompt_tokens, a.output_tokens) for a in made.arrivals] == [(0.0, 33, 9)]


def test_arrivals_at_one_time_have_no_rate() -> None:
    """Neither have many that came at once."""
    with pytest.raises(TraceError, match=r"no span that could be scaled \(5 arrivals at one time\)"):
        scaled(even(5, 1e12), 3.0, TraceScale.TIME, 1)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"measure_s": 0.0}, "measure_s = 0"),
        ({"warm_up_s": -1.0}, "warm_up_s = -1"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_a_window_that_cannot_be(window: dict[str, float], said: str) -> None:
    """As for plans that are drawn."""
    asked = {"warm_up_s": 0.0, "measure_s": 5.0, "seed": 1, **window}
    with pytest.raises(ValueError, match=said):
        replay(
            even(10, 1.0),
            rate_per_s=0,
            warm_up_s=asked["warm_up_s"],
            measure_s=asked["measure_s"],
            seed=int(asked["seed"]),
            mix=Mix(),
        )


def test_thinning_to_nothing_is_said() -> None:
    """A plan without a request would measure nothing."""
    with pytest.raises(TraceError, match="leaves no request"):
        replay(
            even(3, 1.0), rate_per_s=1e-9, warm_up_s=0, measure_s=5, seed=1, mix=Mix(), scale=TraceScale.THIN
        )
