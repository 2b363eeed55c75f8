"""A replay beside its recording, by a real gateway."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay.__main__ import main
from benchmarks.replay.compared import DIFFERENCES, Bounds, answered_in_all, leg
from tests.loadtests.traffic.made_traffic import Made, traffic


def test_the_figures_tell_what_differs() -> None:
    """Another length, lane, time or end of a request is seen in its own figure, and in no other."""
    rng = np.random.default_rng(1)
    at_s = np.cumsum(rng.exponential(0.5, 400)).tolist()
    rows = [Made(when_s, 100 + k % 50, 20, "a/x" if k % 4 else "b/x") for k, when_s in enumerate(at_s)]
    one, longer = traffic(rows), traffic([Made(r.at_s, r.prompt_tokens + 5, 20, r.lane) for r in rows])
    moved = traffic([Made(r.at_s, r.prompt_tokens, 20, "a/x") for r in rows])
    both = answered_in_all([one, longer, moved])
    first, second, third = (leg(each, Bounds(1.0, 1.0), None, both) for each in (one, longer, moved))

    def off(other: object) -> set[str]:
        found = {name: of(first, other) for name, (of, goal) in DIFFERENCES.items() if goal is not None}  # type: ignore[arg-type]
        return {name for name, value in found.items() if value is not None and abs(value) > 1e-9}

    assert off(first) == set()
    assert off(second) == {"mean prompt", "p95 prompt"}
    assert off(third) == {"share of a lane, the worst"}
    assert json.loads(json.dumps(asdict(first)))["lanes"] == {"a/x": 0.75, "b/x": 0.25}


@pytest.mark.prove
def test_a_replay_is_near_its_recording(tmp_path: Path) -> None:
    """Arrivals, lengths and lanes within 2 %, hits and attainment within 3 points, on the emulator; a second
    call goes on with the same file."""
    words = ["--blocks", "3", "--block-s", "30", "--out", str(tmp_path / "blocks.jsonl")]
    assert main([*words, "--folder", str(tmp_path / "first")]) == 0
    assert main([*words, "--folder", str(tmp_path / "second")]) == 0
    assert not (tmp_path / "second").exists()
