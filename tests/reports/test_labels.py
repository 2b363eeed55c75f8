"""Every outcome has a label and a place in the bar chart."""

from loadtests.outcome import Outcome
from reports import labels
from reports.figures.outcomes import GROUPS


def test_every_outcome_has_a_label() -> None:
    """A new outcome must not reach the reader as its code name."""
    assert set(labels.BY_OUTCOME) == set(Outcome)
    assert set(labels.OUTCOMES) == {*Outcome, "served_in_slo", "served_late", "missing"}


def test_every_outcome_belongs_to_one_group_of_the_bars() -> None:
    """What belongs to none would be drawn as failed, what belongs to two twice."""
    members = [name for _, names in GROUPS.values() for name in names]
    assert sorted(members) == sorted(labels.OUTCOMES)
