"""A race on the emulator whose user named no loads."""

import json
from pathlib import Path

import pytest

from experiments.design.default_loads import default_loads
from experiments.run_folder.reading import objective_of, read_run
from experiments.spec.sweep_spec import LoadSection
from tests.experiments import sweeping

SHORT = (
    *("--engine", "emulator", "--max-active", "2,16", "--queue-mode", "queue", "--budget", "90s"),
    *("--measure", "4s", "--warm-up", "1s", "--min-requests", "10", "--drain", "3s"),
)


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run, and what a person saw of it."""
    out = tmp_path_factory.mktemp("race") / "run"
    done = sweeping.run(out, *SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stderr


def test_the_loads_follow_from_the_probe_and_the_spec_stays_as_asked(raced: tuple[Path, str]) -> None:
    """What was begun with is in run.json; what is offered is what the probe says, or has moved from there."""
    out, said = raced
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


def test_what_will_be_decided_is_said_after_the_probe(raced: tuple[Path, str]) -> None:
    """How many settings, under what, and how long at most."""
    out, said = raced
    (line,) = (line for line in said.splitlines() if line.startswith("to be decided: "))
    loads = read_run(out).loads
    assert loads is not None
    assert f"which of 2 settings is the best within 3 % under {' and '.join(sorted(loads))}" in line
    assert " at most; then about " in line
    assert said.index("idle: TTFT") < said.index(line) < said.index("screening")


def test_a_run_goes_on_with_its_loads_only(raced: tuple[Path, str]) -> None:
    """With loads that are named it is another run."""
    out, _ = raced
    named = sweeping.run(out, *SHORT, "--load", ",".join(LoadSection().loads))
    assert named.returncode == 2
    assert "was begun without naming loads" in named.stderr
