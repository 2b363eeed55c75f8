"""The traffic that is recorded first: three tenants, each with what another kind of service looks like."""

from __future__ import annotations

from dataclasses import replace

from loadtests.planning import mixed
from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.header import Header
from loadtests.planning.load_class import LoadClass
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.scenarios import Shape

_SMALL = Mix(workload="lognormal", max_prompt_tokens=3000, max_output_tokens=200)
KINDS: dict[LoadClass, tuple[Mix, float]] = {
    LoadClass("assistant", 0.45, "lognormal", "alice", "interactive"): (
        replace(
            _SMALL, prompt_tokens=220, output_tokens=40, length_sigma=0.5, turns=3, turn_gap_s=4,
            prefix_groups=2, prefix_tokens=150,
        ), 1.5,
    ),
    LoadClass("documents", 0.3, "lognormal", "bob", "batch"): (
        replace(
            _SMALL, prompt_tokens=700, output_tokens=24, length_sigma=0.6, prefix_groups=5, prefix_tokens=430
        ), 2.5,
    ),
    LoadClass("code", 0.25, "lognormal", "carol", "interactive"): (
        replace(
            _SMALL, prompt_tokens=160, output_tokens=60, length_sigma=0.9, cancel_rate=0.35,
            cancel_after_s=0.6,
        ), 1.0,
    ),
}  # fmt: skip
"""Load class → its requests, and the coefficient of variation of its gaps. Sessions with a system prompt;
instructions that are longer than what follows them; prompts all of their own, of clients that often leave."""
LANES = """
[[class]]
name = "interactive"

[[class]]
name = "batch"

[[tenant]]
name = "alice"
class = "interactive"

[[tenant]]
name = "bob"
class = "batch"

[[tenant]]
name = "carol"
class = "interactive"

[[tenant]]
name = "other"
class = "batch"
trusted = true
"""
"""For the gateway: whoever asks may say for whom."""


def plan(rate_per_s: float, length_s: float, seed: int) -> Plan:
    """What is sent first, for `length_s` seconds."""
    parts: list[list[Arrival]] = []
    sessions = groups = 0
    for one, (mix, cv) in KINDS.items():
        own_seed = mixed.class_seed(seed, one.name)
        own = plans.make(
            "gamma", rate_per_s * one.share, 0.0, length_s, own_seed, mix, shape=Shape(cv=cv)
        ).arrivals
        parts.append(mixed.apart(own, one.name, sessions, groups))
        sessions += 1 + max((arrival.session for arrival in own), default=-1)
        groups += mix.prefix_groups
    arrivals = mixed.by_due_time(parts)
    header = Header(
        "gamma", "three tenants", seed, rate_per_s, 0.0, length_s, "open", len(arrivals), {}, (), tuple(KINDS)
    )
    return Plan(header, arrivals)
