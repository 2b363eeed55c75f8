"""The recommendation as a terminal shows it: sentences that can be read aloud."""

from pathlib import Path

import pytest

from experiments.decide.capacity_text import takes
from experiments.decide.recommendation import recommend
from experiments.decide.recommendation_text import show
from experiments.stats.knee import Capacity, CapacityVerdict
from loadtests.slo import SLO
from tests.experiments import race_on_disk
from tests.experiments.race_on_disk import BEST, RUNNER_UP
from tests.experiments.runs_on_disk import SLO as TEXT

FOUND, NOT_REACHED, BELOW = CapacityVerdict


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Capacity(FOUND, 24.1, 22.0, 26.3, "between 22 and 26.3/s"),
            "It takes about 24.1 requests a second: 22 surely meet the objective, 26.3 surely do not.",
        ),
        (
            Capacity(FOUND, 24.1, None, 26.3, "between below the lowest load and 26.3/s"),
            "It takes about 24.1 requests a second: 26.3 surely do not meet the objective, and no measured "
            "rate meets it beyond doubt.",
        ),
        (
            Capacity(FOUND, 24.1, 22.0, None, "between 22 and beyond the highest load"),
            "It takes about 24.1 requests a second: 22 surely meet the objective, and no measured rate "
            "misses it beyond doubt.",
        ),
        (
            Capacity(NOT_REACHED, None, 30.0, None, "not reached in this range (10 to 30/s)"),
            "It takes at least 30 requests a second: every measured rate met the objective, so the limit "
            "lies higher.",
        ),
        (
            Capacity(BELOW, None, None, 10.0, "already missed at the lowest load (10 to 30/s)"),
            "It takes fewer than 10 requests a second: that rate surely missed the objective, and no lower "
            "one was measured that met it.",
        ),
        (None, "How many requests a second it takes is not known: no steady rate was measured."),
    ],
)
def test_the_capacity_is_one_sentence(found: Capacity | None, said: str) -> None:
    """Whatever is known of it; no half sentence is put together from ends that are missing."""
    assert takes(found) == said


@pytest.mark.parametrize("verdict", CapacityVerdict)
@pytest.mark.parametrize("low", [None, 8.0])
@pytest.mark.parametrize("high", [None, 12.0])
def test_no_capacity_is_told_in_code_words(
    verdict: CapacityVerdict, low: float | None, high: float | None
) -> None:
    """Ends that are not known are neither numbers nor places."""
    said = takes(Capacity(verdict, 10.0 if verdict is FOUND else None, low, high, ""))
    assert said.endswith(".")
    assert not any(word in said for word in ("None", "nan", "between", "/s", "range"))


def test_the_first_line_says_how_much_and_the_rest_how_sure(tmp_path: Path) -> None:
    """How much; what to set; how it did; what could be told apart, and what the rest would take."""
    run = race_on_disk.write(tmp_path / "run")
    found = recommend(run, SLO.parse(TEXT))
    lines = show(found, run / "recommended.env").splitlines()
    assert lines[0] == takes(found.capacity)
    assert lines.index(f"  MAX_ACTIVE={BEST.limits.max_active}") < lines.index("How sure:")
    assert "  1 of 2 other settings is surely worse." in lines
    (told,) = (line for line in lines if line.startswith(f"  Not told apart from it: {RUNNER_UP.name}."))
    assert told.endswith("more would find a difference of 5 %.")
    assert "took no part in the choice" in "\n".join(lines)
    assert lines.index("How sure:") < lines.index("In doubt:")
