"""The search for the largest sustainable rate, as a person runs it, on the emulator."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from experiments import capacity
from experiments.design.probe import ASSUMED
from experiments.errors import UserError
from experiments.racing.live_search import start_of
from experiments.spec.setting import Setting
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import Core, simulate
from gateway.limits import Limits
from tests.experiments import sweeping

# Four slots of about 0.22 s: near 18 requests/s, little enough for any machine.
SETTING = Limits(max_active=4, queue_max=8, queue_timeout_s=0.6)
SHAPE = (
    *("--engine", "emulator", "--max-active", "4", "--queue-max", "8", "--queue-timeout", "0.6s"),
    *("--prompt-tokens", "16", "--output-tokens", "12", "--min-requests", "10", "--warm-up", "1s"),
    *("--drain", "3s", "--quiet"),
)


def _capacity(out: Path, *flags: str) -> tuple[dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.capacity", "--out", str(out), *SHAPE, *flags],
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((out / "run.json").read_text())["capacity"]
    return found, done.stdout


def test_a_rate_that_was_never_missed_is_not_called_the_capacity(tmp_path: Path) -> None:
    """An objective that every load meets, and a budget of one cell."""
    lax = ("--slo", "ttft<=20s,attainment>=0.5", "--measure", "2s", "--budget", "1s", "--precision", "40")
    found, said = _capacity(tmp_path / "run", *lax)
    assert (found["verdict"], found["value_per_s"]) == ("not_reached", None)
    assert "not reached in this range" in said
    assert sweeping.processes_naming(str(tmp_path / "run")) == []


class _Request(NamedTuple):
    due_s: float
    prompt_tokens: int
    output_tokens: int
    think_s: float
    after: tuple[int, ...] = ()


def _true_attainment(rate_per_s: float, ttft_s: float) -> float:
    """Of 600 simulated seconds on the engine that the emulator is."""
    rng = np.random.default_rng([2, int(rate_per_s * 100)])
    due = np.sort(rng.uniform(0.0, 600.0, rng.poisson(rate_per_s * 600.0)))
    seen = simulate([_Request(float(t), 16, 12, 0.0) for t in due], TINY_CPU, SETTING, core=Core.COMPILED)
    with np.errstate(invalid="ignore"):
        return float(np.mean(seen.first_s - seen.due_s <= ttft_s))


def _true_capacity(ttft_s: float, target: float, rates: Sequence[float]) -> float:
    return max(rate for rate in rates if _true_attainment(rate, ttft_s) >= target)


@pytest.mark.prove
def test_the_search_finds_the_rate_of_the_simulated_engine(tmp_path: Path) -> None:
    """The sure bounds hold the rate at which the twin meets the objective, and the estimate is near it; 10 %
    for what a real machine adds to the model."""
    truth = _true_capacity(0.4, 0.9, [k * 0.25 for k in range(20, 100)])
    flags = (
        "--slo",
        "ttft<=0.4s,attainment>=0.9",
        "--measure",
        "8s",
        "--budget",
        "150s",
        "--precision",
        "12",
    )
    found, said = _capacity(tmp_path / "run", *flags)
    print(f"true capacity {truth:g}/s; found: {found['value_per_s']:.4g}/s, {found['why']}\n{said}")
    assert found["verdict"] == "found"
    assert found["value_per_s"] == pytest.approx(truth, rel=0.15)
    assert (found["low_per_s"] or 0.0) <= truth * 1.1
    assert (found["high_per_s"] or np.inf) >= truth * 0.9


def test_a_spec_of_a_grid_may_be_given(tmp_path: Path) -> None:
    """The search has a budget, which a grid would refuse; what is wrong here is said, not that."""
    spec = tmp_path / "spec.toml"
    spec.write_text('[design]\nkind = "grid"\n')
    with pytest.raises(UserError, match="the search takes one setting"):
        capacity.main(["--spec", str(spec), "--max-active", "2,4"])


def test_the_search_begins_where_the_slots_can_follow() -> None:
    """Two slots of an engine that could do four times as much do not begin at seven tenths of that."""
    begins = [start_of(ASSUMED, Setting(Limits(max_active=n))) for n in (2, 4, 16, 64)]
    assert begins == [2.33, 4.2, 10.5, 10.5]


def test_a_load_without_sessions_has_no_rate_of_them() -> None:
    """One sentence that says what is missing, before anything starts."""
    with pytest.raises(UserError, match="the load has no sessions; give --workload agent"):
        capacity.main(["--engine", "emulator", "--unit", "sessions"])


@pytest.mark.prove
def test_the_search_counts_sessions(tmp_path: Path) -> None:
    """On the emulator: rates of sessions, each judged whole, and the unit is in the run."""
    loops = (
        "--turns",
        "1.5",
        "--tool-calls",
        "1",
        "--tool-s",
        "0.2",
        "--turn-gap-s",
        "0.3",
        "--turn-tokens",
        "8",
    )
    objective = ("--slo", "ttft<=5s,attainment>=0.5", "--budget", "1s", "--precision", "40")
    found, said = _capacity(tmp_path / "run", "--unit", "sessions", *loops, *objective)
    assert found["unit"] == "sessions"
    assert "were good" in said
