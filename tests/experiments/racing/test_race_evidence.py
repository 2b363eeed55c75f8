"""The kept evidence on races in virtual time: `python -m tests.experiments.racing.evidence` makes it grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.racing.standing import WITHIN
from tests.experiments.racing.evidence import Condition, Line, read, summary

KEPT = Path(__file__).parents[3] / "docs/evidence/race.jsonl"
ENGINES = 300
LEAST_GOOD = {Condition.QUIET: 0.95, Condition.DISTURBED: 0.92, Condition.DRIFT: 0.92}
"""Share of the choices that lose 3 % at most."""


def _of(condition: Condition) -> list[Line]:
    lines = [line for line in read(KEPT) if line.condition is condition]
    if len(lines) < ENGINES:
        pytest.skip(f"{len(lines)} of {ENGINES} engines so far")
    return lines


@pytest.mark.prove
@pytest.mark.parametrize("condition", list(Condition))
def test_choices_lose_little_claims_hold_and_nobody_stands_on_a_cliff(condition: Condition) -> None:
    lines = _of(condition)
    print(summary(lines))
    assert sum(line.regret <= WITHIN for line in lines) >= LEAST_GOOD[condition] * len(lines)
    claimed = [line for line in lines if line.claimed]
    assert sum(line.regret <= WITHIN for line in claimed) >= 0.95 * len(claimed)
    assert sum(line.slower >= 0.92 for line in lines) >= 0.90 * len(lines)
