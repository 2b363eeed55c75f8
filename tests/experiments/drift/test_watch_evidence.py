"""The kept evidence on the watch: `python -m tests.experiments.drift.evidence` makes it grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.drift import evidence
from tests.experiments.drift.evidence import PARTS

KEPT = Path(__file__).parents[3] / "docs/evidence/watch.jsonl"
MONTHS = 20


@pytest.mark.prove
def test_a_tenth_is_found_within_two_hours_and_a_month_has_one_false_alarm_at_most() -> None:
    lines = evidence.read(KEPT)
    quiet, slow = [x for x in lines if x.part < PARTS], [x for x in lines if x.part == PARTS]
    if len(quiet) < MONTHS * PARTS or len(slow) < MONTHS:
        pytest.skip(f"{len(quiet) / PARTS:.0f} of {MONTHS} quiet months so far")
    print(evidence.summary(lines))
    assert sum(x.false_alarms for x in quiet) <= len(quiet) / PARTS
    found = [minutes for line in slow for minutes in line.found_min]
    assert sum(minutes is not None and minutes <= 120 for minutes in found) >= 0.95 * len(found)


@pytest.mark.prove
def test_the_evidence_is_what_the_code_says_today() -> None:
    """One line of it, played again."""
    (line, *_) = (x for x in evidence.read(KEPT) if x.part == PARTS)
    assert evidence.play(line.seed, line.part, line.commit) == line
