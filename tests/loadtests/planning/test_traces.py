"""Published trace formats are read as they are, scaled as asked, and what was changed is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.planning import traces
from loadtests.planning.mix import Mix

OURS = """arrival_s,prompt_tokens,output_tokens,session,prefix_group,class
10.5,100,20,a,g,chat
10.0,50,10,a,,chat
11.0,70,5,b,g,code
"""
AZURE_2023 = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:01.017335+00:00,2399,6
"""
BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,0,1087,Conversation log
118,GPT-4,417,276,693,API log
"""
MOONCAKE = "\n".join(
    f'{{"timestamp": {stamp}, "input_length": {n}, "output_length": 52, "hash_ids": [{h}, 1]}}'
    for stamp, n, h in [
        (0, 6758, 46),
        (0, 7322, 46),
        (0, 7237, 47),
        (3000, 2290, 0),
        (3000, 100, 5),
        (6000, 5, 6),
    ]
)


def read(tmp_path: Path, content: str, name: str = "trace.csv") -> traces.Trace:
    path = tmp_path / name
    path.write_text(content)
    return traces.read(path)


def test_our_format(tmp_path: Path) -> None:
    """Sorted by time, from 0; sessions, groups and classes kept."""
    trace = read(tmp_path, OURS)
    assert trace.arrival_s.tolist() == [0.0, 0.5, 1.0]
    assert trace.prompt_tokens.tolist() == [50, 100, 70]
    assert trace.session.tolist() == [0, 0, 1]
    assert trace.prefix_group.tolist() == [-1, 0, 0]
    assert trace.cls == ("chat", "chat", "code")


@pytest.mark.parametrize(("content", "gap_s"), [(AZURE_2023, 4.314579), (AZURE_2024, 1.007405)])
def test_azure(tmp_path: Path, content: str, gap_s: float) -> None:
    """Both years: seven digits of a second, and a time zone in 2024."""
    trace = read(tmp_path, content)
    assert trace.arrival_s[1] == pytest.approx(gap_s, abs=1e-6)
    assert trace.output_tokens[0] in (44, 5)


def test_burstgpt_leaves_failures_out(tmp_path: Path) -> None:
    """0 response tokens is a failure in BurstGPT: left out, and said."""
    trace = read(tmp_path, BURSTGPT)
    assert trace.arrival_s.tolist() == [0.0, 113.0]
    assert trace.cls == ("ChatGPT", "GPT-4")
    assert trace.notes == ("1 requests without an answer (0 tokens) left out",)


def test_mooncake_ticks_are_spread(tmp_path: Path) -> None:
    """Stamps of 3 s ticks would send all of a tick at once: they are spread inside it, and it is said."""
    trace = read(tmp_path, MOONCAKE, "trace.jsonl")
    assert trace.arrival_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.5, 6.0]
    assert trace.prefix_group.tolist() == [0, 0, 1, 2, 3, 4]
    assert "3 s ticks" in trace.notes[0]


def test_scaling_by_time_keeps_the_shape(tmp_path: Path) -> None:
    """Gaps shrink by one factor; the rate is the one asked for."""
    trace = read(tmp_path, OURS)
    faster = traces.scaled(trace, 30.0, "time", 0)
    assert faster.rate_per_s == pytest.approx(30.0)
    assert (faster.arrival_s * 10).tolist() == pytest.approx(trace.arrival_s.tolist())


def test_thinning_keeps_the_clock() -> None:
    """Each request stays or goes; times are untouched; a trace cannot be thinned to more than it has."""
    n = 20_000
    ones = np.ones(n, dtype=np.int64)
    trace = traces.Trace("t", np.arange(n) / 10.0, ones, ones, -ones, -ones, ("x",) * n)
    thin = traces.scaled(trace, 2.5, "thin", 3)
    assert thin.rate_per_s == pytest.approx(2.5, rel=0.05)
    assert set(thin.arrival_s) <= set(trace.arrival_s)
    with pytest.raises(ValueError, match="cannot exceed"):
        traces.scaled(trace, 20.0, "thin", 3)


def test_replay_clips_and_says_so(tmp_path: Path) -> None:
    """A plan of the trace: its window, its lengths within the limit, its sessions' turns."""
    made = traces.replay(
        read(tmp_path, OURS),
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "unknown columns a, b"),
        ("arrival_s,prompt_tokens,output_tokens\n1,x,3\n", "line 2: invalid literal"),
        ("arrival_s,prompt_tokens,output_tokens\n", "has no requests"),
    ],
)
def test_bad_traces_are_refused(tmp_path: Path, content: str, message: str) -> None:
    """One sentence with the file and the line."""
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)
