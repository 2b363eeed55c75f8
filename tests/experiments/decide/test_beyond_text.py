"""What is said of a slower engine and of too much load, in sentences."""

import pytest

from experiments.decide.beyond_text import above, on_a_slower_engine
from experiments.decide.capacity_text import in_short
from experiments.decide.recommendation_doubts import of_cliff
from experiments.run_folder.recommendation import LoadEvidence
from experiments.stats.goodput import Interval
from experiments.stats.knee import Capacity, CapacityVerdict
from experiments.stats.overload import Overload
from experiments.twin.cliff import SpeedMargin

FOUND, NOT_REACHED, BELOW = CapacityVerdict


def at(load: str, margin: float | None, *, objective: bool = True) -> LoadEvidence:
    """The recommended setting at a load, with that margin of speed."""
    known = None if margin is None else SpeedMargin(0.97, 0.9, 0.8, margin, objective)
    return LoadEvidence(load, 5.0, Interval(4.0, 3.0, 5.0), 4.0, 0.97, speed_margin=known)


@pytest.mark.parametrize(
    ("margin", "objective", "said"),
    [
        (0.08, True, "It still meets the objective on an engine up to 8% slower; calm gives way first."),
        (0.2, True, "It still meets the objective on an engine 20% slower."),
        (0.004, True, "It stands on a cliff: an engine 2% slower misses the objective at calm."),
        (
            0.06,
            False,
            "At calm, which misses the objective anyway, 92% of its good requests are left on an engine up "
            "to 6% slower.",
        ),
        (
            0.2,
            False,
            "At calm, which misses the objective anyway, 92% of its good requests are left on an engine 20% "
            "slower.",
        ),
        (
            0.01,
            False,
            "At calm, which misses the objective anyway, it stands on a cliff: an engine 2% slower loses "
            "more than 8% of the good requests.",
        ),
    ],
)
def test_the_margin_of_speed_is_a_sentence(margin: float, objective: bool, said: str) -> None:
    """Of a load that meets the objective, and of one that does not."""
    assert on_a_slower_engine([at("calm", margin, objective=objective)]) == [said]


def test_the_load_that_gives_way_first_is_named() -> None:
    """One of each kind; what is not known is not said."""
    loads = [at("a", 0.12), at("b", 0.05), at("c", None), at("d", 0.15, objective=False)]
    first, second = on_a_slower_engine(loads)
    assert "up to 5% slower; b gives" in first
    assert "At d" in second
    assert on_a_slower_engine([at("c", None)]) == []


def test_a_cliff_is_a_doubt() -> None:
    """Below 2 %, which two runs differ by."""
    (doubt,) = of_cliff([at("a", 0.015), at("b", 0.021), at("c", None)])
    assert "on a cliff at a:" in doubt
    assert of_cliff([at("b", 0.021)]) == []


def test_what_happens_above_the_capacity_is_a_sentence() -> None:
    """What is kept, what is shed, how fast; what did not happen is not said."""
    assert above(Overload(1.3, 0.94, 0.25, 0.0041, None)) == (
        "Under 1.3 times as many it keeps 94% of the goodput, sheds 25% and answers a refusal within 4.1 ms."
    )
    assert (
        above(Overload(1.2, 0.5, 0.0, None, None)) == "Under 1.2 times as many it keeps 50% of the goodput."
    )
    assert above(None) == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Capacity(FOUND, 24.1, 22.0, 26.3, ""), "takes 24.1/s (22 to 26.3)"),
        (Capacity(FOUND, 24.1, None, 26.3, ""), "takes 24.1/s (at most 26.3)"),
        (Capacity(FOUND, 24.1, 22.0, None, ""), "takes 24.1/s (at least 22)"),
        (Capacity(FOUND, 24.1, None, None, ""), "takes 24.1/s"),
        (Capacity(NOT_REACHED, None, 30.0, None, ""), "takes at least 30/s"),
        (Capacity(NOT_REACHED, None, None, None, ""), ""),
        (Capacity(BELOW, None, None, 10.0, ""), "takes less than 10/s"),
        (Capacity(BELOW, None, None, None, ""), ""),
    ],
)
def test_a_neighbours_capacity_is_short(found: Capacity, said: str) -> None:
    """Whatever is known of it."""
    assert in_short(found) == said
