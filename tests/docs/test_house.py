"""The rules of the house that no linter knows; a failure says the count and the places."""

from __future__ import annotations

import pytest

from headroom.commands import COMMANDS
from tests.docs import house

# ---------------------------------------------------------------------------------------------------------
# THE BOUNDS. What is true today; each may only go down, towards the number behind it. Lower them here.
# ---------------------------------------------------------------------------------------------------------
FUNCTIONS_OVER_60_LINES = 0  # none
FUNCTIONS_OVER_8_PARAMETERS = 0  # none; self and cls do not count
ANY_PER_1000_LINES = 2.5  # 5, over the five packages
UNTYPED_MAPPINGS = 50  # 60 times dict[str, Any] or Mapping[str, Any]
MODULES_BESIDE_COMMANDS = 2  # in experiments/ itself
ARROWS_IN_EXPERIMENTS = 137  # between its rooms and direct modules
SHARED_CLASS_NAMES: dict[str, set[str]] = {  # none: two things of one name in a package are taken for one
    "gateway": set(),
    "loadtests": set(),
    "experiments": set(),
    "reports": set(),
    "monitoring": set(),
}
# ---------------------------------------------------------------------------------------------------------

FUNCTIONS = list(house.functions())


def test_functions_are_short() -> None:
    """What does not fit on a screen is read in pieces anyway."""
    over = [
        f"{house.length(function)}: {where}" for where, function in FUNCTIONS if house.length(function) > 60
    ]
    assert len(over) <= FUNCTIONS_OVER_60_LINES, over


def test_functions_take_few_parameters() -> None:
    """So many things that belong together have a name: a dataclass."""
    counted = [(house.parameters(function), where) for where, function in FUNCTIONS]
    over = [f"{count}: {where}" for count, where in counted if count > 8]
    assert len(over) <= FUNCTIONS_OVER_8_PARAMETERS, over


def test_any_stays_rare() -> None:
    """What is Any is checked by nobody."""
    found = house.any_per_1000_lines()
    assert found <= ANY_PER_1000_LINES


def test_untyped_mappings_stay_few() -> None:
    """A key that is misspelt in one is found by nobody."""
    found = house.untyped_mappings()
    most = sorted(found.items(), key=lambda item: -item[1])[:10]
    assert sum(found.values()) <= UNTYPED_MAPPINGS, f"{sum(found.values())}, most of them in {most}"


@pytest.mark.parametrize("package", house.PACKAGES)
def test_no_two_public_classes_share_a_name(package: str) -> None:
    """Inside a package a name says one thing; a name that is no longer shared leaves the list above."""
    shared, allowed = house.shared_class_names(package), SHARED_CLASS_NAMES[package]
    assert {name: paths for name, paths in shared.items() if name not in allowed} == {}
    assert allowed - set(shared) == set(), "no longer shared: take it out of SHARED_CLASS_NAMES"


def test_experiments_holds_commands_and_rooms() -> None:
    """Whatever is directly in it can be typed after `headroom`; all else has a room."""
    direct = house.direct_modules("experiments")
    others = [name for name, is_command in direct.items() if not is_command]
    assert len(others) <= MODULES_BESIDE_COMMANDS, others
    known = {command.module for command in COMMANDS}
    assert {f"experiments.{name}" for name, is_command in direct.items() if is_command} <= known


def test_the_rooms_of_experiments_form_no_circle_and_few_arrows() -> None:
    """import-linter checks their order too; here are the arrows counted, and a circle is named."""
    arrows = house.arrows("experiments")
    house.order(arrows)
    assert len(arrows) <= ARROWS_IN_EXPERIMENTS, sorted(arrows)


def test_the_counts_count() -> None:
    """On the source as it is none of them is empty: a checker that sees nothing passes everything."""
    assert len(FUNCTIONS) > 1000
    assert house.any_per_1000_lines() > 0
    assert len(house.arrows("experiments")) > 20
    assert max(house.parameters(function) for _, function in FUNCTIONS) > 4
    with pytest.raises(ValueError, match="cycle"):
        house.order({("a", "b"), ("b", "c"), ("c", "a")})
