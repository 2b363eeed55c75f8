"""The form shows what the command line has: every field, its default, its range, in the check's own words."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace

import pytest

from loadtests.planning.scenarios import SCENARIOS, Shape
from loadtests.running import options
from loadtests.settings import from_options
from loadtests.web.form import LABELS, FieldKind, form
from loadtests.web.presets import PRESETS, Preset
from loadtests.web.preview import preview

SHOWN = {
    flag.name.replace("-", "_")
    for group in (options.LOAD, options.REQUESTS, options.RUN)
    for flag in group
    if flag.ui
}
TARGET = "http://127.0.0.1:1"


def parsed(*flags: str) -> Namespace:
    parser = ArgumentParser()
    options.add(parser)
    return parser.parse_args(flags)


def test_every_flag_of_the_form_has_a_name_for_people() -> None:
    """But the scenario, which is chosen by its card."""
    assert set(LABELS) == SHOWN - {"scenario"}


def test_every_field_can_be_reached() -> None:
    """In a scenario's own fields, with a workload, or below More."""
    made = form(parsed(), TARGET)
    own = {name for card in made.scenarios for name in card.fields}
    lengths = {name for names in made.length_fields.values() for name in names}
    assert own | lengths | set(made.always) | set(made.advanced) == set(LABELS)
    assert [card.name for card in made.scenarios] == list(SCENARIOS)


def test_a_secret_is_never_shown() -> None:
    """Nor anything but what the command line says, for the rest."""
    fields = {field.name: field for field in form(parsed("--api-key", "k", "--rate", "7.5"), TARGET).fields}
    assert (fields["api_key"].value, fields["api_key"].kind) == ("", FieldKind.SECRET)
    assert (fields["rate"].value, fields["rate"].default) == ("7.5", "2")


def test_ranges_are_those_of_the_checks() -> None:
    """The words beside a field are the ones of the sentence that refuses its value."""
    fields = {field.name: field for field in form(parsed(), TARGET).fields}
    with pytest.raises(ValueError, match=r"swing = 1\.5: must be between 0 and 1"):
        replace(Shape(), swing=1.5).check()
    assert fields["swing"].allowed == "between 0 and 1"
    assert (fields["drain"].allowed, fields["drain"].unit) == ("≥ 0 s", "s")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.title)
def test_every_preset_makes_a_plan(preset: Preset) -> None:
    """Of fields that there are."""
    assert set(preset.values) <= set(LABELS)
    flags = [word for name, value in preset.values.items() for word in (f"--{name.replace('_', '-')}", value)]
    drawn = preview(from_options(parsed(*flags), TARGET))
    assert drawn.requests


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in ("trace", "recorded")])
def test_the_preview_is_of_the_plan(scenario: str) -> None:
    """Its hash, its count, and bars that hold every request."""
    settings = from_options(parsed("--scenario", scenario), TARGET)
    drawn, plan = preview(settings), settings.plan.make()
    assert drawn.hash == plan.hash
    if plan.header.loop == "open":
        assert drawn.requests == len(plan) == round(sum(drawn.planned_per_s) * drawn.bin_s)
    else:
        assert (drawn.requests, drawn.users) == (None, 8)
