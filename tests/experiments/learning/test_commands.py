"""`tune --recorded` and `calibrate --recorded` on a folder as the gateway leaves it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments import calibrate, tune
from experiments.calibration import calibrated
from experiments.errors import UserError
from tests.experiments.learning import kept
from tests.experiments.learning.small import TRUE, recording

NOW = "MAX_ACTIVE=8,QUEUE_MAX=100,QUEUE_TIMEOUT_S=4"
FEW = ("--max-active", "8,12", "--queue-mode", "queue", "--queue-timeout", "0.5")
SLO = "ttft<=800ms,tpot<=30ms,attainment>=0.9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept.write(recording(), tmp_path_factory.mktemp("kept") / "recording")


def _tune(folder: Path, *words: str) -> int:
    return tune.main(["--recorded", str(folder), *words])


def test_an_advice_without_an_engine(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Effects with ranges, an advice, denser traffic, until when it lasts, and what measuring costs; the
    model is one that `predict` takes."""
    out = tmp_path / "learned"
    words = (
        "--current",
        NOW,
        "--slo",
        SLO,
        "--max-num-seqs",
        "64",
        "--scale",
        "1.5",
        "--out",
        str(out),
        *FEW,
    )
    assert _tune(folder, *words) == 0
    said = capsys.readouterr().out
    told = json.loads((out / "learned.json").read_text())
    assert [load["scale"] for load in told["loads"]] == [1.0, 1.5]
    assert {one["name"] for one in told["loads"][0]["effects"]} == {
        "ma8-q100-t4s", "ma8-q100-t0.5s", "ma12-q100-t0.5s",
    }  # fmt: skip
    now, more = ({one["name"]: one["expected"] for one in load["effects"]} for load in told["loads"])
    for name, expected in now.items():
        span = expected["ttft_p95_s"]
        assert span["low"] < span["value"] < span["high"]
        assert more[name]["attainment"]["value"] < expected["attainment"]["value"]
    assert told["loads"][0]["advice"]["verdict"] == "change"
    assert "Change to ma12-q100-t0.5s" in said
    assert "At 1.5 × the traffic" in said
    assert "headroom sweep --load recorded@1.0x" in said
    assert calibrated.read(out).profile.base_s == pytest.approx(TRUE.base_s, rel=0.05)


def test_a_model_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a stretch of the recording; what is missing is said."""
    assert calibrate.main(["--recorded", str(folder), "--from", "5m", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "note: no long prompts" in said
    assert "accepted: the hours that were not fitted came out as predicted" in said
    assert len(calibrated.read(tmp_path).draws) == 100


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "--current: say what was in force"),
        (
            ("--current", "MAX_ACTIVE=4"),
            r"--current MAX_ACTIVE=4: the recording has 8 requests that held a slot",
        ),
        (("--current", "MAX_ACTIVE=0"), "--current MAX_ACTIVE: Input should be greater than"),
        (("--current", NOW, "--growth", "3"), "--growth '3': write such as 3%/week"),
        (("--current", NOW, "--scale", "many"), "--scale 'many': give multiples of the traffic"),
        (("--current", NOW, "--from", "later"), "--from 'later': write a date and time"),
        (("--current", NOW, "--from", "20m"), "holds no rows of that time"),
        (("--current", NOW, "--to", "20s"), "the recording does not tell enough for a model"),
        (("--current", NOW, "--slo", "ttft<=1s;chat:ttft<=2s"), "a recording has no load classes"),
    ],
)
def test_mistakes_are_one_sentence(
    folder: Path, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAX_ACTIVE", raising=False)
    with pytest.raises(UserError, match=sentence):
        _tune(folder, *words)


def test_limits_that_changed_are_told_with_the_time(tmp_path: Path) -> None:
    """One setting at a time can be learned from."""
    traffic = recording()
    versions = np.where(traffic.arrival_s < 300, 1, 2)
    folder = kept.write(replace(traffic, limits_version=versions), tmp_path / "recording")
    with pytest.raises(UserError, match=r"the limits changed 1 times in that stretch: .* --from 2026-"):
        _tune(folder, "--current", NOW)
