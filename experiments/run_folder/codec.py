"""The one way between the run folder's types and JSON."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from experiments.files import write_json

SCHEMA_VERSION = 1
"""Of every document in a run folder; a reader of another version says so."""
VERSION_KEY = "schema_version"

T = TypeVar("T")
Place = tuple[int | str, ...]
"""The way to a part of a document: keys and list positions."""
_ROUNDS = 12
_EMPTY: dict[str, Any] = {"tuple_type": [], "list_type": [], "dict_type": {}}
"""What stands for a missing collection, by the fault that pydantic finds in none."""


class NotReadableError(ValueError):
    """A document that cannot be used; the message is one sentence that begins with its name."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once for each type: it takes tens of milliseconds."""
    return _cached_adapter(kind)


@lru_cache(maxsize=64)
def _cached_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(value: object) -> dict[str, Any]:
    """`value`, one of this folder's documents, as JSON objects; enums as their words, tuples as lists."""
    dumped: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")
    return {VERSION_KEY: SCHEMA_VERSION, **dumped}


def from_json(kind: type[T], document: Mapping[str, Any], name: str) -> T:
    """The document of this kind.

    Raises:
        NotReadableError: of another version, or a field is missing or wrong; it names the first one.
    """
    _check_version(document, name)
    try:
        value: T = _adapter(kind).validate_python(document)
        return value
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise NotReadableError(f"{name}: {_where(fault['loc'])}: {fault['msg']}") from None


def from_json_tolerantly(kind: type[T], document: Mapping[str, Any], name: str) -> tuple[T | None, list[str]]:
    """As much of the document as can be used, and a sentence for each part that cannot.

    A field that is missing or wrong is taken as none where it may be none, and is left out of a list; else
    the smallest part around it that may be none is left out. None where the whole is no such document.
    """
    remains = copy.deepcopy(dict(document))
    problems: list[str] = []
    for _ in range(_ROUNDS):
        try:
            value: T = _adapter(kind).validate_python(remains)
            return value, problems
        except ValidationError as error:
            faults = error.errors(include_url=False)
        handled: set[Place] = set()
        for fault in faults:
            place = _existing(remains, fault["loc"])
            if any(place[: len(other)] == other for other in handled):
                continue
            if fault["type"] != "missing" and _value(remains, place) is not None:
                problems.append(f"{name}: {_where(place)} cannot be used: {fault['msg']}.")
            left_out = _leave_out(remains, place, _EMPTY.get(fault["type"]))
            if left_out is None:
                return None, [*problems, f"{name} is not of the expected form."]
            handled.add(left_out)
        _take_out(remains, [place for place in handled if isinstance(place[-1], int)])
    return None, [*problems, f"{name} is not of the expected form."]


def write(path: Path, value: object) -> None:
    """Replace `path` by the document in one step."""
    write_json(path, to_json(value))


def read(kind: type[T], path: Path) -> T:
    """The document in `path`.

    Raises:
        NotReadableError: damaged, of another version, or not of this kind.
        FileNotFoundError: there is none.
    """
    return from_json(kind, stored(path), str(path))


def read_tolerantly(
    kind: type[T], path: Path, upgrade: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> tuple[T | None, list[str]]:
    """As much of the document in `path` as can be used; `upgrade` fills in what an earlier version lacks.

    Raises:
        NotReadableError: damaged, or of another version.
        FileNotFoundError: there is none.
    """
    document = stored(path)
    _check_version(document, str(path))
    return from_json_tolerantly(kind, upgrade(document), str(path))


def stored(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; a number that is not finite, which none of our writers leaves, is none.

    Raises:
        NotReadableError: damaged.
        FileNotFoundError: there is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise NotReadableError(f"{path} is damaged: not complete JSON{where}") from None
    if not isinstance(document, dict):
        raise NotReadableError(f"{path} is damaged: a {type(document).__name__}, not an object")
    return document


def _finite(text: str) -> float | None:
    """None for Infinity and NaN, which Python's JSON has and JSON has not, and for what is too large."""
    value = float(text)
    return value if math.isfinite(value) else None


def _check_version(document: Mapping[str, Any], name: str) -> None:
    version = document.get(VERSION_KEY, SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise NotReadableError(f"{name} is of format {version}; this version reads format {SCHEMA_VERSION}")


def _where(place: Place) -> str:
    return ".".join(str(part) for part in place) or "the document"


def _existing(document: Any, place: Place) -> Place:
    """The part of an error's place that is in the document; the last step may be a missing key.

    Pydantic puts the branch of a union, and the like, between the keys.
    """
    found: list[int | str] = []
    at = document
    for position, part in enumerate(place):
        if isinstance(at, dict) and isinstance(part, str) and (part in at or position == len(place) - 1):
            found.append(part)
            at = at.get(part)
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            found.append(part)
            at = at[part]
    return tuple(found)


def _value(document: Any, place: Place) -> Any:
    for part in place:
        document = document.get(part) if isinstance(document, dict) else document[part]
    return document


def _leave_out(document: Any, place: Place, empty: Any) -> Place | None:
    """Put `empty` in the place; where that is there already, leave out what holds it; None: nothing does.

    Returns the place that was emptied, or the item that is to be taken out of its list: not yet, since that
    would move the others.
    """
    if not place:
        return None
    *path, last = place
    holder = _value(document, tuple(path))
    if isinstance(holder, list):
        return place
    if last not in holder or holder[last] != empty:
        holder[last] = copy.copy(empty)
        return place
    return _leave_out(document, tuple(path), None)


def _take_out(document: Any, items: Collection[Place]) -> None:
    """Take these items out of their lists: what lies deeper first, and the last of each list first."""
    for place in sorted(items, key=lambda place: (len(place), int(place[-1])), reverse=True):
        del _value(document, place[:-1])[int(place[-1])]
