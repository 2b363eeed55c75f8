"""A recording is played again with the words of a trace file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest

from gateway.outcome import Outcome
from gateway.served import SERVED
from loadtests.bounds import WrongValueError
from loadtests.planning.mix import Mix
from loadtests.planning.scenarios import Shape
from loadtests.planning.trace_files.trace import TraceError
from loadtests.running import options
from loadtests.settings import PlanSettings, from_options
from loadtests.traffic import as_trace
from tests.loadtests.harness import run, upstream
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


def recorded(folder: Path, *flags: str) -> PlanSettings:
    """What a load run makes of these flags."""
    parser = ArgumentParser()
    options.add(parser)
    words = ["--recorded", str(folder), "--warmup", "0", "--duration", "20", *flags]
    found = from_options(parser.parse_args(words), "http://127.0.0.1:1")
    return found.plan


def test_a_load_run_plays_a_recording(tmp_path: Path) -> None:
    """`--load recorded@1.0x`, `--scenario recorded --rate 0`, a part of it, and denser: one word each."""
    segment(tmp_path, NAMES[0], *(line(float(k), 100 + k) for k in range(20)))
    whole = recorded(tmp_path, "--load", "recorded@1.0x").make()
    assert whole.due_s.tolist() == [float(k) for k in range(20)]
    assert whole.header.scenario == "recorded"
    assert [(one.tenant, one.priority_class) for one in whole.header.classes] == [
        ("bob", "interactive"),
        ("alice", "batch"),
    ]
    same = recorded(tmp_path, "--scenario", "recorded", "--rate", "0").make()
    assert same.hash == whole.hash
    part = recorded(
        tmp_path, "--load", "recorded@1.0x", "--from", "5s", "--to", "10s", "--duration", "5"
    ).make()
    assert [arrival.prompt_tokens for arrival in part.arrivals] == [105, 106, 107, 108, 109]
    twice = recorded(tmp_path, "--load", "recorded@2x", "--duration", "20").make()
    assert len(twice) == 40
    per_s = recorded(tmp_path, "--load", "recorded@2", "--duration", "20").make()
    assert per_s.due_s.tolist() == twice.due_s.tolist()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--load", "sustained@2"), "goes with the scenario 'recorded'"),
        (("--load", "sustained@2x"), "goes with the scenario 'recorded'"),
        (("--load", "recorded"), r"write SCENARIO@RATE, such as sustained@4 or recorded@1.0x: rate ''"),
        (("--load", "records@1x"), "the scenario must be one of sustained, "),
        (("--load", "recorded@1x", "--from", "soon"), "--from 'soon': write a date and time"),
        (("--load", "recorded@1x", "--mix", "chat:1"), "a recording brings its own requests"),
        (("--load", "recorded@1x", "--recorded", "/nowhere"), "recorded /nowhere: No such file or directory"),
        (("--load", "recorded@1x", "--from", "5h"), "recorded .* holds no rows of that time"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    segment(tmp_path, NAMES[0], *(line(float(k), 100 + k) for k in range(20)))
    with pytest.raises(WrongValueError, match=said):
        recorded(tmp_path, *flags).make()


def test_locust_plays_a_recording(tmp_path: Path) -> None:
    """Through the real command line: what the server was sent begins alike where the recording did, clients
    leave when they did, and the result names the recording."""
    prefix = b"aaaaaabbbbbb"
    rows = [line(k / 20, 400 + 20 * k, prefix=prefix) for k in range(10)]
    rows[4] = line(0.2, None, Outcome.CLIENT_ABORT, prefix)
    segment(tmp_path / "recording", NAMES[0], *rows)
    flags = ("--load", "recorded@1.0x", "--recorded", str(tmp_path / "recording"), "--warmup", "0")
    with upstream(tmp_path, ttft_s=0.01, gap_s=0.001) as server:
        ran = run(server.url, tmp_path / "run", *flags, "--duration", "0.5", "--to", "0.5s")
    ran.assert_conserved()
    assert ran.outcomes["ok"] == 10, ran.output
    leaving = [record.leaves_after_s for record in ran.folder.records() if record.leaves_after_s]
    assert leaving == [pytest.approx(1.5 - 0.2, abs=1.0)]
    plan = ran.folder.plan()
    assert plan.header.params["method"] == "as recorded"
    assert len({arrival.prefixes for arrival in plan.arrivals}) == 1
