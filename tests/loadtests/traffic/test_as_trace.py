"""A recording is played again with the words of a trace file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.outcome import Outcome
from gateway.served import SERVED
from loadtests.planning.mix import Mix
from loadtests.planning.scenarios import Shape
from loadtests.planning.trace_files.trace import TraceError
from loadtests.settings import PlanSettings
from loadtests.traffic import as_trace
from tests.loadtests.traffic.test_traffic import NAMES, line, segment


def test_arrivals_lengths_lanes_and_sessions_are_those_recorded(tmp_path: Path) -> None:
    """Also of those that were refused or left: prompts by their bytes, answers drawn from the others."""
    folder = tmp_path / "recording"
    rows = [line(float(k), 100 + k) for k in range(20)]
    rows[5] = line(5.0, None, Outcome.CLIENT_ABORT)
    segment(folder, NAMES[0], *rows)
    trace = as_trace.read(folder)
    assert trace.arrival_s.tolist() == [float(k) for k in range(20)]
    known = np.arange(20) != 5
    assert trace.prompt_tokens[known].tolist() == [100 + k for k in range(20) if k != 5]
    assert trace.prompt_tokens[5] == pytest.approx(np.median(trace.prompt_tokens[known]), abs=1)
    assert set(trace.output_tokens.tolist()) == {11}
    assert trace.cls == ("bob/interactive", "alice/batch") * 10
    assert trace.session.tolist() == [-1, 0] * 10
    assert "1 requests were refused or broke off" in trace.notes[1]


def test_a_load_run_plays_it(tmp_path: Path) -> None:
    """`--scenario trace --trace DIR`: as recorded, or in half the time; the plan says what it leaves out."""
    segment(tmp_path, NAMES[0], *(line(float(k), 100 + k) for k in range(20)))
    made = PlanSettings("trace", 0.0, 0.0, 30.0, 1, Mix(), Shape(), trace_file=str(tmp_path)).make()
    assert made.due_s.tolist() == [float(k) for k in range(20)]
    assert [arrival.prompt_tokens for arrival in made.arrivals] == [100 + k for k in range(20)]
    assert {arrival.cls for arrival in made.arrivals} == {"bob/interactive", "alice/batch"}
    assert any("are not played as such" in note for note in made.header.notes)
    rate_per_s = 2 * 20 / 19
    twice = PlanSettings("trace", rate_per_s, 0.0, 30.0, 1, Mix(), Shape(), trace_file=str(tmp_path)).make()
    assert twice.due_s == pytest.approx(made.due_s / 2, abs=1e-6)


def test_only_what_generates_is_played(tmp_path: Path) -> None:
    """Of all routes those whose answers are made token by token, by the gateway's own table."""
    rows = [line(float(k), 100 + k, route=served.route) for k, served in enumerate(SERVED)]
    segment(tmp_path, NAMES[0], *rows)
    trace = as_trace.read(tmp_path)
    played = [k for k, served in enumerate(SERVED) if served.generates]
    assert trace.prompt_tokens.tolist() == [100 + k for k in played]
    assert trace.notes[1] == f"{len(SERVED) - len(played)} requests that generate nothing are not played"


def test_nothing_known_is_nothing_to_play(tmp_path: Path) -> None:
    """A recording of refusals alone."""
    segment(tmp_path, NAMES[0], line(1.0, None, Outcome.REJECTED_FULL))
    with pytest.raises(TraceError, match="no request whose lengths are known"):
        as_trace.read(tmp_path)
