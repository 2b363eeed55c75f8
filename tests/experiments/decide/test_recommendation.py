"""The recommendation from a run folder: the better setting, its evidence, and how far the cliff is."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.decide.recommendation import recommend
from experiments.spec.setting import Setting
from loadtests.slo import SLO
from tests.experiments.runs_on_disk import SETTINGS, Recipe, write
from tests.experiments.runs_on_disk import SLO as TEXT


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two settings at a light, a middling and a heavy load, three traces each."""
    return write(tmp_path_factory.mktemp("r") / "run", Recipe(loads=(3.0, 6.0, 14.0)))


def test_the_better_setting_is_chosen_and_the_other_is_told_why_not(run: Path) -> None:
    """Ten slots serve more of an overload than four, within the same objective."""
    found = recommend(run, SLO.parse(TEXT))
    goodput = found.goodput_per_s
    assert found.setting.limits.max_active == 10
    assert found.inseparable == ()
    assert "fewer" in found.neighbours[0].why_not
    assert goodput.low is not None
    assert goodput.high is not None
    assert goodput.low < goodput.value < goodput.high


def test_the_cliff_lies_between_measured_loads(run: Path) -> None:
    """The chosen setting sustains the light load and not the heavy one; the capacity lies between."""
    capacity = recommend(run, SLO.parse(TEXT)).capacity
    assert capacity is not None
    assert capacity.verdict == "found"
    assert capacity.low_per_s is not None
    assert capacity.value_per_s is not None
    assert capacity.high_per_s is not None
    assert 3.0 <= capacity.low_per_s < capacity.value_per_s < capacity.high_per_s <= 14.0


def test_settings_that_met_at_one_load_only_are_judged_there(tmp_path: Path) -> None:
    """A verification measures settings at the load that decides; the cells elsewhere do not hide them."""
    far = Setting(replace(SETTINGS[0].limits, max_active=2))
    run = write(tmp_path / "run", Recipe(settings=(*SETTINGS, far)))
    for folder in (run / "cells").iterdir():
        if folder.name.startswith("ma2-") != ("sustained-6-" in folder.name):
            shutil.rmtree(folder)
    found = recommend(run, SLO.parse(TEXT))
    assert [row.load for row in found.loads] == ["sustained@14"]
    assert found.setting.limits.max_active == 10
    assert any("no setting was measured at every load" in doubt for doubt in found.doubts)
