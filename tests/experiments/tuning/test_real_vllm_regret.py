"""On the real vLLM: a matrix of 12 cells measured once, and what `tune` chooses without measuring it.

    python -m pytest -m prove -s tests/experiments/tuning/test_real_vllm_regret.py

takes about a quarter of an hour on two cores. With REGRET_DIR=DIR both runs stay there, and one that is
complete is not made again: so the two halves can be run apart, `-k test_grid` first.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.run_folder import codec
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.run_folder.prediction import Prediction
from experiments.run_folder.reading import objective_of
from experiments.run_folder.recommendation import Recommendation
from experiments.stats.goodput import difference
from tests.experiments import sweeping

pytestmark = [pytest.mark.prove, pytest.mark.vllm]

REGRET = 0.03
SPANS = 10
MATRIX = (
    *("--engine", "vllm-cpu", "--max-active", "2,8,16", "--queue-mode", "queue", "--queue-max", "8,60"),
    *("--queue-timeout", "auto", "--load", "sustained@0.8x,sustained@1.3x", "--min-requests", "150"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both runs are."""
    kept = os.environ.get("REGRET_DIR")
    return Path(kept) if kept else tmp_path_factory.mktemp("regret")


def made(out: Path, module: str, *flags: str) -> Path:
    """The run in `out`, made now unless it is complete."""
    state = out / "run.json"
    if not state.exists() or json.loads(state.read_text())["status"] != "complete":
        command = [sys.executable, "-m", module, *MATRIX, *flags, "--out", str(out)]
        done = subprocess.run(command, cwd=sweeping.ROOT, env=sweeping.environment(), check=False)
        assert done.returncode == 0, f"{module} ended with {done.returncode}"
    return out


@pytest.fixture(scope="module")
def grid(folder: Path) -> Path:
    """12 cells, one trace each."""
    return made(folder / "grid", "experiments.sweep", "--design", "grid", "--sentinel", "off")


def test_grid(grid: Path) -> None:
    """Every cell of the matrix was measured."""
    assert len(finished_cells(grid)) == 12


def test_the_choice_is_within_three_percent_and_noise(grid: Path, folder: Path) -> None:
    """At each load the choice loses at most 3 % of the best measured goodput, beside one trace's noise."""
    today = min(
        (cell.setting for cell in finished_cells(grid)),
        key=lambda s: (s.limits.max_active, s.limits.queue_max),
    )
    names = {"MAX_ACTIVE": "max_active", "QUEUE_MAX": "queue_max", "QUEUE_TIMEOUT_S": "queue_timeout_s"}
    current = ",".join(f"{name}={getattr(today, key):g}" for name, key in names.items())
    tuned = made(
        folder / "tuned", "experiments.tune", "--matrix-only", "--like", str(grid), "--current", current
    )
    slo = objective_of(grid)
    chosen = codec.read(Recommendation, tuned / "recommendation.json").setting
    by_load: dict[str, list[MeasuredCell]] = {}
    for cell in finished_cells(grid):
        by_load.setdefault(cell.load, []).append(cell)
    for load, cells in by_load.items():
        best = max(cells, key=lambda cell: cell.trace(slo).goodput_per_s)
        own = next(cell for cell in cells if cell.setting == chosen)
        top = best.trace(slo)
        gap = difference([top], [own.trace(slo)], top.duration_s / SPANS)
        lost = gap.value / top.goodput_per_s
        noise = (gap.value - gap.low) / top.goodput_per_s if gap.low is not None else 0.0
        print(f"{load}: {chosen.name} loses {lost:.1%} (noise {noise:.1%}) of {best.setting.name}'s goodput")
        assert lost <= REGRET + noise
    told = codec.read(Prediction, tuned / "predicted.json")
    print(f"cost {told.cost.ratio:.0%} of the grid on three traces; coverage {told.coverage}")
    print(f"fallback: {told.fallback}; recalibrated: {told.recalibrated}")
