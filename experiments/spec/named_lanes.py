"""Lanes as a sweep varies them: a table with a name, from a `lanes.toml`, a spec, or the load's own mix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import JsonValue, PlainSerializer, PlainValidator

from gateway.lane import NO_LANES, OTHERS, Lane, Lanes, PriorityClass

if TYPE_CHECKING:
    from loadtests.planning.load_class import LoadClass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_LAST_CLASS = "default"


@dataclass(frozen=True, slots=True)
class NamedLanes:
    """name: what settings, cells and reports call them. lanes: as the gateway has them; whose key is in which
    lane is no part of it, and no run folder holds it."""

    name: str
    lanes: Lanes

    def to_json(self) -> dict[str, JsonValue]:
        """As files hold it: the name beside the tables of `PUT /admin/lanes`."""
        tables: dict[str, JsonValue] = json.loads(json.dumps(self.lanes.values()))
        return {"name": self.name, **tables}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> NamedLanes:
        """The inverse of `to_json`. Raises ValueError or TypeError for something else."""
        tables = {name: value for name, value in stored.items() if name != "name"}
        return cls(_named(stored.get("name")), Lanes.of(tables))

    def to_toml(self) -> str:
        """As a `lanes.toml`, without anybody's key."""
        return "\n".join(_toml(self.lanes)) + "\n"


NONE = NamedLanes("none", NO_LANES)
"""Everybody is alike: what `lanes` are compared with."""
OF_MIX = NamedLanes("mix", NO_LANES)
"""Stands for `of_mix` of the load, until the whole spec is read."""


def of_mix(classes: Sequence[LoadClass], within_s: Mapping[str, float] | None = None) -> NamedLanes | None:
    """A lane of weight 1 for each that the load classes name, priority classes in the order in which they are
    named first, those without one last; None where they name no lane. `within_s`: load class → the TTFT of
    its objective, for the order `edf`; the shortest of those that share a lane."""
    if not any(one.tenant or one.priority_class for one in classes):
        return None
    named = [one.priority_class for one in classes if one.priority_class]
    last = _LAST_CLASS if any(not one.priority_class for one in classes) or not named else named[-1]
    pairs = [(one.tenant or OTHERS, one.priority_class or last) for one in classes]
    if not any(tenant == OTHERS for tenant, _ in pairs):
        pairs.append((OTHERS, last))
    order = dict.fromkeys([*named, last])
    due_s: dict[tuple[str, str], float] = {}
    for one, pair in zip(classes, pairs, strict=False):
        if one.name in (within_s or {}):
            due_s[pair] = min(due_s.get(pair, inf), (within_s or {})[one.name])
    lanes = (Lane(*pair, within_s=due_s.get(pair)) for pair in dict.fromkeys(pairs))
    return NamedLanes(OF_MIX.name, Lanes(tuple(map(PriorityClass, order)), tuple(lanes)))


def read(value: object) -> NamedLanes:
    """`none`, `mix`, the path of a `lanes.toml`, or a table of a spec with a `name` in it.

    Raises:
        ValueError: in one sentence.
    """
    if isinstance(value, NamedLanes):
        return value
    if isinstance(value, Mapping) and value.get("name") == NONE.name:
        return NONE
    if isinstance(value, Mapping):
        tables = {key: own for key, own in value.items() if key != "name"}
        return NamedLanes(_named(value.get("name")), _lanes(json.dumps(tables).encode(), toml=False))
    if not isinstance(value, str):
        raise ValueError("should be none, mix, the path of a lanes.toml, or a table with a name")
    known = {one.name: one for one in (NONE, OF_MIX)}
    return known.get(value.strip()) or _of_file(Path(value.strip()))


def _of_file(path: Path) -> NamedLanes:
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ValueError(f"{reason}; allowed: none, mix, or the path of a lanes.toml") from None
    name = _named(path.stem)
    if name in (NONE.name, OF_MIX.name):
        raise ValueError(f"{name} has a meaning of its own here: give the file another name")
    return NamedLanes(name, _lanes(content, toml=True))


def _lanes(content: bytes, *, toml: bool) -> Lanes:
    """As the gateway reads them."""
    from gateway.lane_tables import next_lanes, read  # seldom, and a command's help should be there at once

    return next_lanes(read(content, toml=toml), None, version=1).lanes


def _named(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"lanes cannot be called {name!r}: up to 40 letters, digits and any of _ . -, the first a letter "
            "or a digit"
        )
    return name


def _toml(lanes: Lanes) -> Iterator[str]:
    for one in lanes.classes:
        yield "[[class]]"
        yield f'name = "{one.name}"'
        if one.slots_reserved:
            yield f"slots_reserved = {one.slots_reserved}"
        yield ""
    for lane in lanes.lanes:
        yield "[[tenant]]"
        yield f'name = "{lane.tenant}"'
        yield f'class = "{lane.priority_class}"'
        yield f"weight = {lane.weight}"
        for name in ("slots_max", "queue_max", "tokens_per_min", "within_s"):
            if (value := getattr(lane, name)) is not None:
                yield f"{name} = {value}"
        yield ""


StoredLanes = Annotated[NamedLanes, PlainValidator(read), PlainSerializer(NamedLanes.to_json)]
