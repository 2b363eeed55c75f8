"""The form of the page: what can be set, in which units and ranges, and which of it matters for a scenario.

Nothing is defined here but names for people and their order: flags, choices, defaults and ranges are those of
the command line and of the checks.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from loadtests.planning.mix import MIX_BOUNDS
from loadtests.planning.plan_bounds import PLAN_BOUNDS
from loadtests.planning.scenarios import SCENARIOS, SHAPE_BOUNDS, Shape, curve, due_times
from loadtests.running.options import LOAD, REQUESTS, RUN, Flag
from loadtests.settings import RUN_BOUNDS, option_of
from loadtests.web.presets import PRESETS, Preset

LABELS = {
    "rate": "Mean rate",
    "warmup": "Warm-up",
    "duration": "Measured window",
    "factor": "Burst is … times the rate outside",
    "burst_s": "Length of a burst",
    "period_s": "Period",
    "cv": "Variation of the gaps (CV)",
    "swing": "Swing around the mean (share)",
    "steps": "Stairs",
    "vusers": "Users",
    "think_s": "Mean think time",
    "trace": "Trace file, on the machine of this page",
    "recorded": "Folder of the recording, on the machine of this page",
    "from": "From (empty: its begin)",
    "to": "To (empty: its end)",
    "trace_scale": "How the rate is reached",
    "trace_unit": "Unit of the file's stamps",
    "workload": "Lengths",
    "mix": "Load classes in their place (empty: none)",
    "prompt_tokens": "Prompt",
    "output_tokens": "Answer",
    "length_sigma": "Spread of the log length",
    "slo": "Objective (SLO)",
    "seed": "Seed of the plan",
    "drain": "Wait for the last answers, at most",
    "max_inflight": "Most in flight (0: no cap)",
    "model": "Model (empty: the target's first)",
    "api_key": "API key (empty: as before)",
    "lengths": "Answers end",
    "usage": "Token counts",
    "max_prompt_tokens": "Longest prompt",
    "max_output_tokens": "Longest answer",
    "prefix_groups": "Groups with a shared prefix (0: none)",
    "prefix_tokens": "Length of the prefix",
    "turns": "Mean messages of a session (1: no sessions)",
    "turn_gap_s": "Mean pause before a further message",
    "tool_calls": "Mean tool calls before the last answer (0: none)",
    "tool_s": "Mean time of a tool",
    "turn_tokens": "A message or result adds (0: as a prompt)",
    "branches": "Requests that a call makes side by side",
    "cancel_rate": "Share of clients that hang up",
    "cancel_after_s": "They hang up after, on average",
    "deadline_s": "Clients give up after (0: never)",
    "retry": "After a refusal, clients",
}
"""Of every field, in the order of the page; `scenario` is chosen by its card."""

_LENGTH_FIELDS = {
    "fixed": ("prompt_tokens", "output_tokens"),
    "lognormal": ("prompt_tokens", "output_tokens", "length_sigma"),
}
_OF_FILES = {"trace": ("trace", "trace_scale", "trace_unit"), "recorded": ("recorded", "from", "to")}
_ALWAYS = ("slo", "mix", "workload")
_ADVANCED = tuple(LABELS)[tuple(LABELS).index("seed") :]
_CURVE_POINTS, _CURVE_S, _CURVE_REQUESTS = 80, 60.0, 40


class FieldKind(StrEnum):
    """How a field is typed in."""

    NUMBER = "number"
    WHOLE = "whole"
    TEXT = "text"
    CHOICE = "choice"
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. value: in force now, from the command line or the last start; never that of a secret.
    allowed: the range in words, "" where anything goes."""

    name: str
    label: str
    kind: FieldKind
    value: str
    default: str
    unit: str
    allowed: str
    choices: Sequence[str]
    help: str


@dataclass(frozen=True, slots=True)
class ScenarioCard:
    """A scenario to choose. fields: those that matter for it. rate: relative, over the window; due: arrivals
    of a small plan as shares of the window; both empty where the arrivals are not drawn beforehand."""

    name: str
    title: str
    fields: Sequence[str]
    rate: Sequence[float]
    due: Sequence[float]


@dataclass(frozen=True, slots=True)
class Form:
    """All that the page needs to build its form. length_fields: by workload; always, advanced: names of
    fields that belong to every scenario."""

    host: str
    scenario: str
    scenarios: Sequence[ScenarioCard]
    fields: Sequence[FormField]
    length_fields: Mapping[str, Sequence[str]]
    always: Sequence[str]
    advanced: Sequence[str]
    presets: Sequence[Preset]


def form(options: Namespace, host: str | None) -> Form:
    """The form with the values in force."""
    flags = {flag.name.replace("-", "_"): flag for group in (LOAD, REQUESTS, RUN) for flag in group}
    return Form(
        host=host or "",
        scenario=options.scenario,
        scenarios=[_card(name) for name in SCENARIOS],
        fields=[_field(name, flags[name], options) for name in LABELS],
        length_fields=_LENGTH_FIELDS,
        always=_ALWAYS,
        advanced=_ADVANCED,
        presets=PRESETS,
    )


def _field(name: str, flag: Flag, options: Namespace) -> FormField:
    bounds = PLAN_BOUNDS | SHAPE_BOUNDS | MIX_BOUNDS | RUN_BOUNDS
    bound = next((bound for setting, bound in bounds.items() if option_of(setting) == name), None)
    return FormField(
        name=name,
        label=LABELS[name],
        kind=_kind(flag),
        value="" if flag.secret else _text(getattr(options, name)),
        default=_text(flag.default),
        unit=bound.unit.replace(" per second", "/s") if bound is not None else "",
        allowed=bound.words.replace(">=", "≥") if bound is not None else "",
        choices=flag.choices,
        help=flag.help,
    )


def _kind(flag: Flag) -> FieldKind:
    if flag.secret:
        return FieldKind.SECRET
    if flag.choices:
        return FieldKind.CHOICE
    return {float: FieldKind.NUMBER, int: FieldKind.WHOLE}.get(type(flag.default), FieldKind.TEXT)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _card(name: str) -> ScenarioCard:
    scenario, shape = SCENARIOS[name], Shape()
    reads = [option_of(parameter) for parameter in scenario.reads]
    own = list(_OF_FILES.get(name, ()))
    rate = ["rate"] if scenario.loop == "open" else []
    level = curve(name, _CURVE_S, shape, _CURVE_POINTS)
    due: list[float] = []
    if level:
        # The same draw of on and off periods as the curve's.
        drawn = due_times(name, _CURVE_REQUESTS / _CURVE_S, 0.0, _CURVE_S, shape, np.random.default_rng(0))
        due = [round(float(t) / _CURVE_S, 4) for t in drawn]
    return ScenarioCard(
        name=name,
        title=scenario.title,
        fields=[*own, *rate, *reads, "warmup", "duration"],
        rate=[round(x, 3) for x in level],
        due=due,
    )
