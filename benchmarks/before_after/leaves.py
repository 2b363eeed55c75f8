"""Documents and tables as leaves: a path and the value at its end, so that any two can be compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Leaf = str | bool | int | float
Leaves = dict[str, Leaf]

RELATIVE = 1e-12
"""Floats that are closer than this share of the larger one are equal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A leaf that is not the same before and after; None where it is missing."""

    path: str
    before: Leaf | None
    after: Leaf | None


def of_document(value: object, path: str = "") -> Leaves:
    """The leaves of a JSON value. A null is no leaf: it equals a key that is missing. An empty list or object
    is one.

    Raises:
        TypeError: the value is none of JSON's.
    """
    if value is None:
        return {}
    if isinstance(value, str | bool | int | float):
        return {path or "/": value}
    if isinstance(value, Mapping):
        return _of_parts(((str(key), part) for key, part in value.items()), path, "{}")
    if isinstance(value, Sequence):
        return _of_parts(((str(place), part) for place, part in enumerate(value)), path, "[]")
    raise TypeError(f"{path}: {type(value).__name__} is no JSON value")


def _of_parts(parts: Iterable[tuple[str, object]], path: str, empty: str) -> Leaves:
    leaves: Leaves = {}
    none = True
    for name, part in parts:
        none = False
        leaves |= of_document(part, f"{path}/{name}")
    return {path or "/": empty} if none else leaves


def of_rows(rows: Iterable[tuple[Sequence[str], Mapping[str, Leaf]]], path: str) -> Leaves:
    """The leaves of a table: rows with what names them, and their values by column. Rows of one name are
    counted: `name`, `name #2`.
    """
    leaves: Leaves = {}
    seen: Counter[str] = Counter()
    for names, values in rows:
        name = " · ".join(names)
        seen[name] += 1
        row = name if seen[name] == 1 else f"{name} #{seen[name]}"
        leaves |= {f"{path}/{row}/{column}": value for column, value in values.items()}
    return leaves


def as_number(text: str) -> Leaf:
    """The number that a text shows in full, else the text."""
    try:
        return float(text)
    except ValueError:
        return text


def differences(before: Leaves, after: Leaves) -> list[Difference]:
    """What is not the same, in the order of `before`, then what is new."""
    paths = [*before, *(path for path in after if path not in before)]
    found = [Difference(path, before.get(path), after.get(path)) for path in paths]
    return [one for one in found if not same(one.before, one.after)]


def same(before: Leaf | None, after: Leaf | None) -> bool:
    """Whether two leaves are equal; numbers to `RELATIVE`, two nan are equal, true is not 1."""
    numbers = [v for v in (before, after) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == 2:
        one, other = numbers
        return (math.isnan(one) and math.isnan(other)) or math.isclose(
            one, other, rel_tol=RELATIVE, abs_tol=0
        )
    return type(before) is type(after) and before == after
