"""The recommendation from a run folder: the better setting, its evidence, and how far the cliff is."""

from pathlib import Path

import pytest

from experiments.recommendation import recommend
from loadtests.slo import SLO
from tests.experiments.runs_on_disk import SLO as TEXT
from tests.experiments.runs_on_disk import Recipe, write


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two settings at a light, a middling and a heavy load, three traces each."""
    return write(tmp_path_factory.mktemp("r") / "run", Recipe(loads=(3.0, 6.0, 14.0)))


def test_the_better_setting_is_chosen_and_the_other_is_told_why_not(run: Path) -> None:
    """Ten slots serve more of an overload than four, within the same objective."""
    found = recommend(run, SLO.parse(TEXT))
    assert found["setting"]["max_active"] == 10
    assert found["inseparable"] == []
    assert "fewer" in found["neighbours"][0]["why_not"]
    assert found["goodput_per_s"]["low"] < found["goodput_per_s"]["value"] < found["goodput_per_s"]["high"]


def test_the_cliff_lies_between_measured_loads(run: Path) -> None:
    """The chosen setting sustains the light load and not the heavy one; the capacity lies between."""
    capacity = recommend(run, SLO.parse(TEXT))["capacity"]
    assert capacity["verdict"] == "found"
    assert 3.0 <= capacity["low_per_s"] < capacity["value_per_s"] < capacity["high_per_s"] <= 14.0
