"""`lanes.toml` and the body of `PUT /admin/lanes`: one form, checked, and the lanes that it means."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.lane import NO_LANES, OTHERS, Lane, Lanes, PriorityClass
from gateway.lane_book import Clients, LaneBook

MOST_LANES = 10_000
MOST_CLASSES = 16
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$")]
"""Stands in header fields and metric labels as it is."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
_FORMS = {
    "key_sha256": "64 hexadecimal digits, what `printf %s KEY | sha256sum` prints",
    "name": "1 to 64 letters, digits and . _ @ : -, the first a letter or a digit",
}
_SECRET = "key_sha256"  # who has written the key itself there must not see it again in a log


class LanesError(ValueError):
    """The user's mistake, in one sentence."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ClassTable(BaseModel):
    """One `[[class]]`; the most urgent comes first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    slots_reserved: int = 0


class LaneTable(BaseModel):
    """One `[[tenant]]`: a lane and its clients. See `lane.Lane` for the bounds.

    key_sha256, trusted: None leaves them as they are for a lane that is there already. keys: how many, as
    `GET` shows in place of the digests; nothing is read from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tenant: Name = Field(validation_alias=AliasChoices("tenant", "name"))
    priority_class: Name | None = Field(None, validation_alias=AliasChoices("priority_class", "class"))
    weight: float = 1.0
    slots_max: int | None = None
    queue_max: int | None = None
    tokens_per_min: float | None = None
    within_s: float | None = None
    key_sha256: Annotated[list[Digest] | None, BeforeValidator(_listed)] = None
    trusted: bool | None = None
    keys: int | None = None


class LaneTables(BaseModel):
    """All of it. refuse_unknown: None leaves it as it is. version: the one that is to be replaced, None for
    any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    classes: list[ClassTable] = Field([], validation_alias=AliasChoices("classes", "class"))
    lanes: list[LaneTable] = Field([], validation_alias=AliasChoices("lanes", "tenant"))
    refuse_unknown: bool | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class NextLanes:
    """What is to be in force. book: None for no lanes; lanes: what admission is given."""

    lanes: Lanes
    book: LaneBook | None


def from_file(path: str | None) -> LaneBook | None:
    """The lanes of a `lanes.toml`, None for no file or for one that names none. Raises LanesError."""
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LanesError(f"LANES_FILE={path}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return next_lanes(read(content, toml=True), None, version=1).book
    except LanesError as error:
        raise LanesError(f"LANES_FILE={path}: {error}") from None


def read(content: bytes, *, toml: bool) -> LaneTables:
    """The tables of a TOML or JSON document. Raises LanesError."""
    try:
        given = tomllib.loads(content.decode()) if toml else orjson.loads(content)
    except (ValueError, RecursionError) as error:
        raise LanesError(f"this is not valid {'TOML' if toml else 'JSON'}: {error}") from None
    if type(given) is not dict:
        raise LanesError("this is no JSON object of classes and lanes")
    try:
        return LaneTables.model_validate_json(orjson.dumps(given))
    except ValidationError as error:
        raise LanesError(_sentence(error)) from None
    except orjson.JSONEncodeError as error:  # TOML has numbers that are no JSON
        raise LanesError(f"a value has no meaning here: {error}") from None


def next_lanes(tables: LaneTables, book: LaneBook | None, version: int) -> NextLanes:
    """What `tables` put in the place of `book`. Raises LanesError."""
    if not tables.classes and not tables.lanes:
        return NextLanes(replace(NO_LANES, version=version), None)
    if len(tables.lanes) > MOST_LANES or len(tables.classes) > MOST_CLASSES:
        raise LanesError(
            f"{len(tables.lanes)} lanes in {len(tables.classes)} classes are too many; allowed: "
            f"{MOST_LANES} in {MOST_CLASSES}"
        )
    before: Mapping[str, Clients] = {} if book is None else book.clients
    refuses = tables.refuse_unknown
    if refuses is None:
        refuses = book is not None and book.refuses_unknown
    try:
        classes = tuple(PriorityClass(one.name, one.slots_reserved) for one in tables.classes)
        classes = classes or (PriorityClass("default"),)
        lanes = [_lane(table, classes) for table in tables.lanes]
        clients = {
            lane.name: _clients(table, before.get(lane.name, Clients()))
            for lane, table in zip(lanes, tables.lanes, strict=True)
        }
        if not any(lane.tenant == OTHERS for lane in lanes):
            lanes.append(Lane(OTHERS, classes[-1].name))
        in_force = Lanes(classes, tuple(lanes), version)
        return NextLanes(in_force, LaneBook(in_force, clients, refuses_unknown=refuses, before=book))
    except ValueError as error:
        raise LanesError(str(error)) from None


def shown(lanes: Lanes, book: LaneBook | None) -> dict[str, object]:
    """The answer to `GET /admin/lanes`: keys by their number only."""
    if book is None:
        return {"version": lanes.version, "refuse_unknown": False, "classes": [], "lanes": []}
    values = lanes.values()
    rows = []
    for row, lane in zip(values["lanes"], lanes.lanes, strict=True):
        told = book.clients.get(lane.name, Clients())
        rows.append({**row, "keys": len(told.digests), "trusted": told.trusted})
    return {
        "version": lanes.version,
        "refuse_unknown": book.refuses_unknown,
        "classes": values["classes"],
        "lanes": rows,
    }


def _lane(table: LaneTable, classes: tuple[PriorityClass, ...]) -> Lane:
    priority_class = table.priority_class
    if priority_class is None:
        if len(classes) > 1:
            names = ", ".join(one.name for one in classes)
            raise LanesError(f"tenant {table.tenant}: class is missing; allowed: {names}")
        priority_class = classes[0].name
    return Lane(
        table.tenant,
        priority_class,
        table.weight,
        table.slots_max,
        table.queue_max,
        table.tokens_per_min,
        table.within_s,
    )


def _clients(table: LaneTable, before: Clients) -> Clients:
    digests, trusted = table.key_sha256, table.trusted
    return Clients(
        before.digests if digests is None else frozenset(bytes.fromhex(digest) for digest in digests),
        before.trusted if trusted is None else trusted,
    )


def _sentence(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "missing":  # only names are needed
        return f"{_place(fault['loc'][:-1])}: its name is missing"
    place, message = _place(fault["loc"]), str(fault["msg"])
    if fault["type"] == "extra_forbidden":
        return f"{place}: no such key"
    secret = _SECRET in fault["loc"]
    if fault["type"] == "string_pattern_mismatch":
        message = f"allowed: {_FORMS[_SECRET if secret else 'name']}"
    value = "" if secret else f"={fault['input']!r:.100}"
    return f"{place}{value}: {message[0].lower() + message[1:]}"


def _place(parts: tuple[int | str, ...]) -> str:
    place = ""
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place
