"""The kept evidence on live comparisons: `python -m tests.experiments.live.evidence` makes it grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.run_folder.live_run import LiveOutcome
from tests.experiments.live import evidence, virtual_live
from tests.experiments.live.virtual_live import Plant

KEPT = Path(__file__).parents[3] / "docs/evidence/live-compare.jsonl"
COMPARISONS = 200


def test_five_per_cent_of_speed_are_found_in_eight_blocks_and_nothing_is_not() -> None:
    print(evidence.summary(evidence.read(KEPT)))
    of = {plant: [x for x in evidence.read(KEPT) if x.plant is plant] for plant in Plant}
    assert all(len(lines) >= COMPARISONS for lines in of.values())
    claimed = [x for x in of[Plant.NOTHING] if x.outcome in (LiveOutcome.WORSE, LiveOutcome.BETTER)]
    assert len(claimed) <= 0.05 * len(of[Plant.NOTHING])
    assert sum(x.outcome == LiveOutcome.WORSE for x in of[Plant.SPEED]) >= 0.9 * len(of[Plant.SPEED])
    assert all(x.blocks <= evidence.MOST for x in of[Plant.SPEED])


@pytest.mark.prove
def test_the_evidence_is_what_the_code_says_today() -> None:
    """Two engines of it, played again."""
    for line in [x for x in evidence.read(KEPT) if x.plant is Plant.SPEED][:2]:
        again = evidence.play(line.seed, line.plant, line.commit)
        assert again == line
    assert virtual_live.LESS == 0.05
