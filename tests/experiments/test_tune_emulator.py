"""`tune` as a person runs it, on the emulator: every part real but the engine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import sweeping
from tests.experiments.calibration_on_disk import write_calibration

pytestmark = pytest.mark.prove

SMALL = (
    *("--engine", "emulator", "--max-active", "2,8,16", "--queue-max", "8", "--queue-mode", "queue"),
    *("--load", "sustained@0.6x,sustained@1.3x", "--measure", "4s", "--warm-up", "1s", "--drain", "4s"),
    *("--min-requests", "10", "--traces", "4", "--budget", "1s", "--quiet"),
)


def command(out: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "experiments.tune", "--out", str(out), *flags]


def run(out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(out, *flags),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    out = folder / "run"
    done = run(out, *SMALL, "--model", str(write_calibration(folder / "model", passed=None) / "profile.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Recommended for" in done.stdout
    assert "90 % prediction intervals" in done.stdout
    return out


def test_the_verification_is_a_normal_run(tuned: Path) -> None:
    """Cells on disk as a sweep's, three blocks of each, a complete run with a report."""
    state = json.loads((tuned / "run.json").read_text())
    assert state["status"] == "complete"
    assert {cell["id"] for cell in state["cells"]} == {s["cell"] for s in sweeping.summaries(tuned)}
    assert {s["workload"]["block"] for s in sweeping.summaries(tuned)} == {0, 1, 2}
    assert "EMULATOR" in (tuned / "report.html").read_text()


def test_the_recommendation_can_be_applied(tuned: Path) -> None:
    """The environment of the gateway, from a setting that was verified."""
    found = json.loads((tuned / "recommendation.json").read_text())
    lines = (tuned / "recommended.env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert env["MAX_ACTIVE"] == str(found["setting"]["max_active"])
    assert found["cell_ids"]
    assert [row["load"] for row in found["loads"]] == ["sustained@0.6x", "sustained@1.3x"]
    assert any("not tried" in doubt for doubt in found["doubts"])


def test_predicted_beside_measured(tuned: Path) -> None:
    """Every verified cell with signed errors that multiply, the whole matrix, the cost."""
    found = json.loads((tuned / "predicted.json").read_text())
    assert {cell["cell"] for cell in found["cells"]} == {s["cell"] for s in sweeping.summaries(tuned)}
    assert len(found["matrix"]) > 5
    assert all(len(row["goodput_per_s"]) == 2 for row in found["matrix"])
    for cell in found["cells"]:
        one = cell["metrics"]["goodput_per_s"]
        assert one["low"] <= one["predicted"] <= one["high"]
        if None not in (one["error"], one["model_error"], one["noise"]):
            assert 1 + one["error"] == pytest.approx((1 + one["model_error"]) * (1 + one["noise"]))
    assert found["coverage"]["of"] >= 2 * len(found["cells"])
    assert found["fallback"] is None
    assert found["cost"]["engine_s_used"] < found["cost"]["engine_s_grid"]


def test_the_report_has_a_what_if(tuned: Path) -> None:
    """Every measured cell of the matrix is at a point of it."""
    found = json.loads((tuned / "what_if.json").read_text())
    at_points = {cell for load in found["loads"] for point in load["points"] for cell in point["cells"]}
    assert at_points == {s["cell"] for s in sweeping.summaries(tuned)}
    assert 'id="what-if"' in (tuned / "report.html").read_text()


def test_recommend_reads_it(tuned: Path) -> None:
    """The measured cells alone are enough for a recommendation of the ordinary kind."""
    before = (tuned / "recommendation.json").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.recommend", str(tuned)],
        cwd=sweeping.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    (tuned / "recommendation.json").write_bytes(before)
    assert done.returncode == 0, done.stderr
    assert "MAX_ACTIVE=" in done.stdout


def test_a_refused_model_means_a_measured_sweep(tmp_path: Path) -> None:
    """The matrix is measured, and the reason stands in the result."""
    out = tmp_path / "run"
    flags = [
        *(
            "--engine",
            "emulator",
            "--max-active",
            "2,16",
            "--queue-mode",
            "reject",
            "--load",
            "sustained@1.1x",
        ),
        *("--measure", "4s", "--warm-up", "1s", "--drain", "4s", "--min-requests", "10", "--quiet"),
    ]
    done = run(out, *flags, "--model", str(write_calibration(tmp_path / "model", passed=False)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(sweeping.summaries(out)) == 2
    assert "the model was refused" in json.loads((out / "recommendation.json").read_text())["doubts"][0]
    found = json.loads((out / "predicted.json").read_text())
    assert "off by +40.0%" in found["fallback"]
    assert found["model"]["gate"]["passed"] is False
    assert "no what-if: the calibration was refused" in done.stdout
    assert not (out / "what_if.json").exists()


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """Ctrl-C: nothing left running, exit code 130; the same command measures only what is missing."""
    out, given = tmp_path / "run", write_calibration(tmp_path / "model", passed=None)
    flags = (*SMALL, "--model", str(given))
    begun = subprocess.Popen(
        command(out, *flags),
        cwd=sweeping.ROOT,
        env=sweeping.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        sweeping.wait_until(lambda: bool(list(out.glob("cells/[!.]*/summary.json"))), 240, "a finished cell")
        os.kill(begun.pid, signal.SIGINT)
        _, said = begun.communicate(timeout=60)
    finally:
        begun.kill()
    assert begun.returncode == 130, said
    assert "the same command goes on" in said
    assert sweeping.processes_naming(str(out)) == []
    kept = {path: sweeping.digests(path.parent) for path in out.glob("cells/[!.]*/summary.json")}
    done = run(out, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(sweeping.digests(path.parent) == known for path, known in kept.items())
