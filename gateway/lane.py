"""Lanes: who sends, how urgent it is, and what share of the engine that gives. One immutable value, replaced
as a whole, numbered by its version.

A *tenant* is who sends, a *priority class* is how urgent, a *lane* is one tenant in one priority class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import inf

OTHERS = "other"
"""The tenant whose lane those share who have none of their own."""


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """How urgent requests are. Among `Lanes.classes` the most urgent comes first: a free slot goes to the
    first class in which somebody waits who may take it.

    slots_reserved: slots that only this class may take, at least 0; they stay free while it has no use for
    them. All classes together reserve less than max_active; where they ask for more, each gets its part of
    max_active − 1, rounded down.
    """

    name: str
    slots_reserved: int = 0

    def __post_init__(self) -> None:
        _named(self.name, "a priority class")
        if self.slots_reserved < 0:
            raise ValueError(
                f"class {self.name}: slots_reserved={self.slots_reserved} is not allowed; allowed: 0 or more"
            )


@dataclass(frozen=True, slots=True)
class Lane:
    """One tenant in one priority class.

    weight: its part of the tokens of its class, in relation to the weights of the others who wait; above 0.
    slots_max: slots it may hold at once, at least 1. queue_max: its requests that may wait, 0 means none.
    tokens_per_min: prompt and output tokens that it may use in the long run, above 0; after a quiet minute it
    may use a minute's worth at once. None: only the bounds of all hold. within_s: how soon after they came
    its requests should be served where they do not say so themselves, above 0, for the order `edf`; None:
    whenever.
    """

    tenant: str
    priority_class: str
    weight: float = 1.0
    slots_max: int | None = None
    queue_max: int | None = None
    tokens_per_min: float | None = None
    within_s: float | None = None

    def __post_init__(self) -> None:
        _named(self.tenant, "a tenant")
        for name, value, allowed, right in (
            ("weight", self.weight, "above 0", 0 < self.weight < inf),
            ("slots_max", self.slots_max, "1 or more", self.slots_max is None or self.slots_max >= 1),
            ("queue_max", self.queue_max, "0 or more", self.queue_max is None or self.queue_max >= 0),
            (
                *("tokens_per_min", self.tokens_per_min, "above 0"),
                self.tokens_per_min is None or 0 < self.tokens_per_min < inf,
            ),
            ("within_s", self.within_s, "above 0", self.within_s is None or 0 < self.within_s < inf),
        ):
            if not right:
                raise ValueError(f"lane {self.name}: {name}={value} is not allowed; allowed: {allowed}")

    @property
    def name(self) -> str:
        """Tenant and class, as a request names its lane."""
        return f"{self.tenant}/{self.priority_class}"


@dataclass(frozen=True)
class Lanes:
    """All priority classes, most urgent first, and all lanes; at least one of each.

    A request of a lane that is not among them goes to `unknown`.

    Raises:
        ValueError: a class or a lane is named twice, or a lane is in no class of these.
    """

    classes: tuple[PriorityClass, ...]
    lanes: tuple[Lane, ...]
    version: int = 1

    def __post_init__(self) -> None:
        known = [one.name for one in self.classes]
        for what, names in (("class", known), ("lane", [lane.name for lane in self.lanes])):
            if not names:
                raise ValueError(f"there is no {what}; allowed: one or more")
            name, times = Counter(names).most_common(1)[0]
            if times > 1:
                raise ValueError(f"{what} {name} is there {times} times; allowed: once")
        for lane in self.lanes:
            if lane.priority_class not in known:
                raise ValueError(f"lane {lane.name}: there is no such class; allowed: {', '.join(known)}")

    @cached_property
    def by_name(self) -> Mapping[str, Lane]:
        """The lanes by their names."""
        return {lane.name: lane for lane in self.lanes}

    def asked_for(self, own: Lane, tenant: str | None, priority_class: str | None) -> Lane:
        """The lane that a client of `own` asks for: itself where it says nothing, the unknown one for a
        tenant that is none, the tenant's first one for a class in which it has none.
        """
        first = own if tenant is None else self._first.get(tenant, self.unknown)
        if priority_class is None:
            return first
        return self.by_name.get(f"{first.tenant}/{priority_class}", first)

    @cached_property
    def _first(self) -> Mapping[str, Lane]:
        """The first lane of each tenant."""
        return {lane.tenant: lane for lane in reversed(self.lanes)}

    @cached_property
    def unknown(self) -> Lane:
        """The lane of requests that name none of these: the first of the tenant `other`, else the last."""
        return next((lane for lane in self.lanes if lane.tenant == OTHERS), self.lanes[-1])

    @property
    def shared(self) -> bool:
        """Whether anything is shared: not by the default, whatever its version."""
        return (self.classes, self.lanes) != (NO_LANES.classes, NO_LANES.lanes)

    def values(self) -> dict[str, list[dict[str, object]]]:
        """As plain JSON, without the version."""
        return {
            "classes": [asdict(one) for one in self.classes],
            "lanes": [asdict(lane) for lane in self.lanes],
        }

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Lanes:
        """The first version of lanes given as plain JSON; what is not named has its default.

        Raises:
            TypeError: something has another form, or a name that is none of ours.
            ValueError: a value is not allowed.
        """
        if unknown := set(values) - {"classes", "lanes"}:
            raise TypeError(f"{min(unknown)}: no such key; allowed: classes, lanes")
        classes = tuple(PriorityClass(**each) for each in _objects(values, "classes"))  # type: ignore[arg-type]  # keys are checked by the call
        lanes = tuple(Lane(**each) for each in _objects(values, "lanes"))  # type: ignore[arg-type]  # as above
        return cls(classes, lanes)

    def after(self, before: Lanes) -> Lanes:
        """These lanes as the version that follows `before`."""
        return replace(self, version=before.version + 1)


def _objects(values: Mapping[str, object], key: str) -> Iterable[dict[str, object]]:
    listed = values.get(key, ())
    if not isinstance(listed, Sequence) or not all(isinstance(each, dict) for each in listed):
        raise TypeError(f"{key} is no list of objects")
    return listed


def _named(name: str, what: str) -> None:
    if not name or "/" in name:
        raise ValueError(f"{name!r} cannot be the name of {what}; allowed: at least one character, no '/'")


NO_LANES = Lanes((PriorityClass("default"),), (Lane("all", "default"),))
"""The default: everybody is in one lane, and admission knows only the limits."""
