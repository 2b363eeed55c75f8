"""What each planned request asks for: lengths, classes, shared prefixes, sessions, cancellations."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loadtests.bounds import Bound, wrong
from loadtests.planning.load_class import LoadClass, mix_text, whole_mix
from loadtests.planning.session_shape import OF_WORKLOAD, SessionShape
from loadtests.planning.workloads import (
    PROFILES,
    Counts,
    Lengths,
    Workload,
    fixed,
    fixed_lengths,
    lognormal,
    servegen_clients,
)

WORKLOADS = ("fixed", "lognormal", *PROFILES)
RETRIES = ("none", "retry-after", "openai")
_OF_A_WORKLOAD = ("workload", "prompt_tokens", "output_tokens", "length_sigma")
_OF_SESSIONS = ("tool_calls", "tool_s", "turn_tokens", "branches")
"""Left out of a header where they say nothing: plans of earlier versions have the same hash."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mix:
    """Everything about the requests but their times.

    prompt_tokens, output_tokens: the length (`fixed`), or the median (`lognormal`). length_sigma: of
    `lognormal`. prefix_groups: 0 = no sharing; else each request begins with the prefix (`prefix_tokens`) of
    one of that many groups; in sessions the first ones do.

    turns: mean messages of a session; turn_gap_s: mean pause before a further one. tool_calls: mean calls of
    a tool before the last answer to a message, each of which takes tool_s on average and sends `branches`
    requests side by side. turn_tokens: what a further message or a result adds, 0 = as much as a prompt has.
    One message and no calls are no session.

    cancel_rate: share of clients that hang up, on average `cancel_after_s` after they sent (exponential).
    deadline_s: a client gives up this long after the request was due; 0 = never. retry: `none`; `retry-after`
    (waits as told, else not at all); `openai` (2 retries, as the OpenAI SDK does). classes: the load classes,
    each of which brings its own workload and has all else as here; () where all requests are of one kind.
    """

    workload: str = "fixed"
    prompt_tokens: int = 256
    output_tokens: int = 64
    length_sigma: float = 0.8
    max_prompt_tokens: int = 100_000
    max_output_tokens: int = 100_000
    prefix_groups: int = 0
    prefix_tokens: int = 0
    turns: float = 1.0
    turn_gap_s: float = 5.0
    tool_calls: float = 0.0
    tool_s: float = 2.0
    turn_tokens: int = 0
    branches: int = 0
    cancel_rate: float = 0.0
    cancel_after_s: float = 2.0
    deadline_s: float = 0.0
    retry: str = "none"
    classes: tuple[LoadClass, ...] = ()

    @classmethod
    def fixed(cls, prompt_tokens: int, output_tokens: int) -> Mix:
        """Every request of the same lengths, and nothing else to it."""
        return cls(prompt_tokens=prompt_tokens, output_tokens=output_tokens)

    def check(self) -> None:
        """Raise WrongValueError, naming the parameter and what is allowed, when one is out of range."""
        for name, names in (("workload", WORKLOADS), ("retry", RETRIES)):
            if getattr(self, name) not in names:
                raise wrong(name, getattr(self, name), f"one of {', '.join(names)}")
        for name, bound in MIX_BOUNDS.items():
            bound.check(name, getattr(self, name))
        if self.classes:
            whole_mix(self.classes)

    @property
    def name(self) -> str:
        """Of the workload; of several load classes their text."""
        return mix_text(self.classes) if self.classes else self.workload

    def params(self) -> dict[str, int | float | str]:
        """As a plan's header has it; of several load classes without the lengths, which each has its own."""
        values = asdict(replace(self, classes=()))
        del values["classes"]
        if not self.tool_calls and not self.turn_tokens:
            for name in _OF_SESSIONS:
                del values[name]
        return {
            name: value for name, value in values.items() if not self.classes or name not in _OF_A_WORKLOAD
        }

    def of(self, load_class: LoadClass) -> Mix:
        """What the requests of one class ask for."""
        lengths = fixed_lengths(load_class.workload)
        if lengths is None:
            return replace(self, classes=(), workload=load_class.workload)
        prompt_tokens, output_tokens = lengths
        return replace(
            self, classes=(), workload="fixed", prompt_tokens=prompt_tokens, output_tokens=output_tokens
        )

    def session_shape(self, otherwise: SessionShape | None = None) -> SessionShape | None:
        """What sessions are: as the fields say, else as the workload's are, else `otherwise`; None: none."""
        if self.turns <= 1 and not self.tool_calls:
            return OF_WORKLOAD.get(self.workload, otherwise)
        return SessionShape(
            turns=self.turns,
            think_s=self.turn_gap_s,
            tool_calls=self.tool_calls,
            tool_s=self.tool_s,
            branches=self.branches,
            added=Lengths.fixed(self.turn_tokens) if self.turn_tokens else None,
        )

    def resolve(self, rng: np.random.Generator) -> Workload:
        """The workload this mix names; random profiles draw their clients from `rng`."""
        if self.workload == "fixed":
            return fixed(self.prompt_tokens, self.output_tokens)
        if self.workload == "lognormal":
            return lognormal(self.prompt_tokens, self.output_tokens, self.length_sigma)
        profile = PROFILES[self.workload]
        if self.workload == "servegen-mix":
            own = servegen_clients(rng)
            return Workload(profile.name, profile.source, profile.prompt, profile.output, clients=own)
        return profile


MIX_BOUNDS = {
    "prompt_tokens": Bound(1, unit="tokens"),
    "output_tokens": Bound(1, unit="tokens"),
    "length_sigma": Bound(0),
    "max_prompt_tokens": Bound(1, unit="tokens"),
    "max_output_tokens": Bound(1, unit="tokens"),
    "prefix_groups": Bound(0),
    "prefix_tokens": Bound(0, unit="tokens"),
    "turns": Bound(1),
    "turn_gap_s": Bound(0, unit="s"),
    "tool_calls": Bound(0),
    "tool_s": Bound(0, unit="s"),
    "turn_tokens": Bound(0, unit="tokens"),
    "branches": Bound(0, 64),
    "cancel_rate": Bound(0, 1),
    "cancel_after_s": Bound(0, above=True, unit="s"),
    "deadline_s": Bound(0, unit="s"),
}
"""What each number of `Mix` may be."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Columns (n,): session number (-1 = none), turn (from 0) and whole prompt length in tokens."""

    session: Counts
    turn: Counts
    prompt_tokens: Counts


def no_sessions(new_tokens: Counts) -> Sessions:
    """Every request on its own."""
    return Sessions(np.full(len(new_tokens), -1), np.zeros(len(new_tokens), dtype=np.int64), new_tokens)


def cancellations(n: int, mix: Mix, rng: np.random.Generator) -> Floats:
    """Seconds after sending at which each client hangs up (n,); 0 = never."""
    hangs_up = rng.random(n) < mix.cancel_rate
    return np.where(hangs_up, np.maximum(1e-3, rng.exponential(mix.cancel_after_s, n)), 0.0)
