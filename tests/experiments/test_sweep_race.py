"""A race for real, on the emulator: the sweep as it is without `--design`, and without loads."""

import json
import os
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.design.default_loads import default_loads
from experiments.racing.plan import CONFIRMING
from experiments.run_folder import journal
from experiments.run_folder.reading import objective_of, read_run
from experiments.spec.load_section import LoadSection
from tests.experiments import sweeping

# Three settings, one of them far too small for what comes, and no loads: those follow from the probe.
SMALL = (
    *("--engine", "emulator", "--max-active", "2,8,16", "--queue-mode", "queue", "--budget", "90s"),
    *("--measure", "4s", "--warm-up", "1s", "--min-requests", "10", "--drain", "3s"),
)


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _of(out: Path, purpose: str) -> list[dict[str, Any]]:
    """Summaries of the cells that were measured for it."""
    return [one for one in sweeping.summaries(out) if one["workload"].get("purpose", "matrix") == purpose]


@dataclass(frozen=True, slots=True)
class Ended:
    """A race that came to its end: its folder, its answer, and what was said on the way."""

    out: Path
    answer: str
    progress: str


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The folder, and what a person saw."""
    out = tmp_path_factory.mktemp("race") / "run"
    done = sweeping.run(out, *SMALL, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return Ended(out, done.stdout, done.stderr)


def test_every_setting_is_accounted_for(raced: Ended) -> None:
    """In race.json, how often it ran; in the recommendation, why it is not the one."""
    out = raced.out
    (race,) = _json(out / "race.json")["races"]
    names = {place["name"] for place in race["places"]}
    assert len(names) == 3
    assert race["winner"] in names
    assert race["end"] in ("separated", "budget", "rounds")
    assert all(place["stretches"] for place in race["places"])
    found = _json(out / "recommendation.json")
    others = {other["name"]: other["why_not"] for other in found["neighbours"]}
    assert {*others, race["winner"]} == names
    assert all(others.values())


def test_what_cannot_keep_up_is_not_taken(raced: Ended) -> None:
    """Two slots serve a fifth of what comes, and are not measured often."""
    out = raced.out
    (race,) = _json(out / "race.json")["races"]
    (narrow,) = (place for place in race["places"] if place["setting"]["max_active"] == 2)
    assert race["winner"] != narrow["name"]
    assert narrow["ratio"] < 0.7
    assert narrow["better"] < 0.025


def test_the_winner_is_confirmed_on_other_arrivals(raced: Ended) -> None:
    """At every load, by blocks that nobody was chosen on; and nobody else is."""
    out = raced.out
    (race,) = _json(out / "race.json")["races"]
    confirming = _of(out, "validation")
    assert {one["workload"]["load"] for one in confirming} == set(read_run(out).loads or ())
    for one in confirming:
        assert one["workload"]["block"] >= CONFIRMING
        assert one["cell"].startswith(f"{race['winner']}--")
        assert one["cell"].endswith("--validation")
    assert all(one["workload"]["block"] < CONFIRMING for one in _of(out, "matrix"))


def test_its_largest_rate_is_searched(raced: Ended) -> None:
    """By steady loads of its own, with the winner alone."""
    out = raced.out
    (race,) = _json(out / "race.json")["races"]
    searched = _of(out, "capacity")
    assert searched
    assert {one["workload"]["scenario"] for one in searched} == {"sustained"}
    assert all(one["cell"].startswith(f"{race['winner']}--") for one in searched)
    assert _json(out / "recommendation.json")["capacity"] is not None


def test_the_answer_begins_with_requests_a_second(raced: Ended) -> None:
    """What people ask first; and the run is a whole one."""
    out, said = raced.out, raced.answer
    assert "requests a second" in said.splitlines()[0]
    assert "Recommended for" in said
    assert f"report: {out / 'report.html'}" in said
    state = _json(out / "run.json")
    assert state["status"] == "complete"
    assert {cell["id"] for cell in state["cells"]} == {one["cell"] for one in sweeping.summaries(out)}
    assert sweeping.processes_naming(str(out)) == []


def test_the_loads_follow_from_the_probe_and_the_spec_stays_as_asked(raced: Ended) -> None:
    """What was begun with is in run.json; what is offered is what the probe says, or has moved from there."""
    out, said = raced.out, raced.progress
    state = read_run(out)
    assert state.loads_settled
    assert state.loads is not None
    assert state.probe is not None
    derived = default_loads(objective_of(out), state.probe)
    assert state.loads == derived or "would tell nothing" in said
    asked = json.loads((out / "run.json").read_text())["spec"]["load"]["loads"]
    assert tuple(asked) == LoadSection().loads
    offered = {s["workload"]["load"] for s in sweeping.summaries(out) if s["workload"]["purpose"] == "matrix"}
    assert offered == set(state.loads)


def test_what_will_be_decided_is_said_after_the_probe(raced: Ended) -> None:
    """How many settings, under what, and how long at most."""
    out, said = raced.out, raced.progress
    (line,) = (line for line in said.splitlines() if line.startswith("to be decided: "))
    loads = read_run(out).loads
    assert loads is not None
    assert f"which of 3 settings is the best within 3 % under {' and '.join(sorted(loads))}" in line
    assert " at most; then about " in line
    assert said.index("idle: TTFT") < said.index(line) < said.index("screening")


def test_a_run_goes_on_with_its_loads_only(raced: Ended) -> None:
    """With loads that are named it is another run."""
    out = raced.out
    named = sweeping.run(out, *SMALL, "--load", ",".join(LoadSection().loads))
    assert named.returncode == 2
    assert "was begun without naming loads" in named.stderr


def _killed_once(out: Path, cells: int) -> None:
    """The race ended by `kill -9` once so many cells are whole."""
    begun = subprocess.Popen(
        sweeping.command(out, *SMALL),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        sweeping.wait_until(
            lambda: len(list(out.glob("cells/[!.]*/summary.json"))) >= cells or begun.poll() is not None,
            300,
            f"{cells} cells",
        )
        assert begun.poll() is None, "ended before it could be killed"
    finally:
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
    sweeping.wait_until(lambda: not sweeping.processes_naming(str(out)), 30, "the killed race is gone")


@pytest.mark.prove
def test_a_killed_race_goes_on_without_measuring_anything_again(tmp_path: Path) -> None:
    """Killed in the screening and once more later: what was whole stays what it was, unless the journal says
    that it was measured again, as cells in doubt are."""
    out = tmp_path / "run"
    for cells in (2, 6):
        _killed_once(out, cells)
    before = {cell.name: sweeping.digests(cell) for cell in out.glob("cells/[!.]*")}
    done = sweeping.run(out, *SMALL, timeout_s=600)
    assert done.returncode == 0, done.stdout + done.stderr
    events = list(journal.read(out / "journal.jsonl"))
    repeated = {event["cell"] for event in events if event["event"] == "cell_repeated"}
    measured = Counter(event["cell"] for event in events if event["event"] == "cell_done")
    for name, files in before.items():
        if name not in repeated:
            assert measured[name] <= 1
            now = sweeping.digests(out / "cells" / name)
            # The speed index is judged anew with every cell and written into all summaries.
            assert {k: v for k, v in now.items() if k != "summary.json"} == {
                k: v for k, v in files.items() if k != "summary.json"
            }
    assert len(set(before) - repeated) >= 2
    state = _json(out / "run.json")
    assert state["status"] == "complete"
    assert (out / "race.json").exists()
    assert {cell["id"] for cell in state["cells"]} == {one["cell"] for one in sweeping.summaries(out)}
