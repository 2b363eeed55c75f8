"""Sessions: chains, delays after an answer, and prompts that can carry their history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.planning.mix import Mix
from loadtests.planning.trace_files import sessions
from loadtests.planning.trace_files.replay import replay
from tests.loadtests.planning.trace_data import stored, written


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_a_chain_is_one_session() -> None:
    """Also where the file names a child before its parent, a parent that is not there, and itself."""
    known = {name: number for number, name in enumerate("abcdef")}
    parents = {"b": "a", "a": "c", "d": "nobody", "e": "e"}
    assert sessions.roots(known, parents).tolist() == [2, 2, 2, 3, 4, 5]


def test_a_chain_that_bites_its_tail_ends() -> None:
    """Someone is the first, for all of it alike."""
    known = {name: number for number, name in enumerate("abcd")}
    found = sessions.roots(known, {"a": "b", "b": "c", "c": "a", "d": "a"}).tolist()
    assert len(set(found)) == 1


def test_a_table_of_pandas_keeps_its_chains(tmp_path: Path) -> None:
    """It writes a column that has gaps with points: 7.0 is the chat 7."""
    content = (
        "chat_id,parent_chat_id,timestamp,input_length,output_length\n"
        "7,,0.5,30,4\n8,7.0,1.5,60,4\n9,8.0,9.25,90,4\n4,,10,30,4\n"
    )
    assert written(tmp_path, content).session.tolist() == [0, 0, 0, 1]


def test_a_delay_counts_from_the_turn_before() -> None:
    """In milliseconds, whatever other sessions do between."""
    trace = stored("aiperf_delays.jsonl")
    assert trace.arrival_s.tolist() == pytest.approx([0.0, 0.05, 1.5, 1.7005])
    assert trace.session.tolist() == [0, 1, 0, 0]


def test_new_words_get_their_history_when_played() -> None:
    """AIPerf's lengths are those of the turn: the plan's prompts are whole."""
    trace = stored("aiperf_delays.jsonl")
    made = replay(trace, rate_per_s=0, warm_up_s=0, measure_s=10, seed=1, mix=Mix())
    assert [a.prompt_tokens for a in made.arrivals] == [40, 70, 40 + 6 + 25, 40 + 6 + 25 + 5 + 30]
    assert [a.turn for a in made.arrivals] == [0, 0, 1, 2]
    assert any("history is added" in note for note in made.header.notes)


def test_a_prompt_that_cannot_hold_its_history_begins_a_session() -> None:
    """100 and 20 were said: a prompt of 110 does not go on from there, one of 150 does."""
    session, split = sessions.split_where_shorter(
        ints(3, 3, 3, -1, 5), ints(100, 150, 110, 7, 4), ints(20, 5, 9, 9, 9)
    )
    assert (session.tolist(), split) == ([3, 3, 6, -1, 5], 1)
    assert sessions.turns(session).tolist() == [0, 1, 0, 0, 0]


def test_shorter_prompts_are_said_in_the_plan(tmp_path: Path) -> None:
    """A trace whose clients drop old turns."""
    content = "arrival_s,prompt_tokens,output_tokens,session\n0,100,20,a\n1,90,20,a\n2,130,20,a\n"
    trace = written(tmp_path, content)
    made = replay(trace, rate_per_s=0, warm_up_s=0, measure_s=10, seed=1, mix=Mix())
    assert [(a.session, a.turn) for a in made.arrivals] == [(0, 0), (1, 0), (1, 1)]
    assert any(note.startswith("1 prompts are no longer than") for note in made.header.notes)
