"""Reading the files of a run folder that may be half-written, old, or not a run at all.

A file that cannot be used becomes a sentence for the reader, never a traceback.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

KNOWN_SCHEMA = 1


@dataclass(slots=True)
class Reader:
    """Reads files below `root` and collects in `problems` what was wrong, one sentence each."""

    root: Path
    problems: list[str] = field(default_factory=list)

    def json(self, relative: str, *, required: bool = False) -> dict[str, Any]:
        """One JSON object; {} when the file is missing or unusable."""
        path = self.root / relative
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if required:
                self.problems.append(f"{relative} is missing.")
            return {}
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{relative} cannot be read: {type(error).__name__}.")
            return {}
        except json.JSONDecodeError as error:
            self.problems.append(
                f"{relative} is not complete JSON (line {error.lineno}): perhaps cut off while written."
            )
            return {}
        if not isinstance(found, dict):
            self.problems.append(f"{relative} holds a {type(found).__name__} where an object was expected.")
            return {}
        self._check_version(relative, found)
        return found

    def _check_version(self, relative: str, found: Mapping[str, Any]) -> None:
        version = found.get("schema_version", KNOWN_SCHEMA)
        if version == KNOWN_SCHEMA:
            return
        age = "older" if isinstance(version, int) and version < KNOWN_SCHEMA else "newer or unknown"
        self.problems.append(
            f"{relative} has schema version {version!r}, {age} than the {KNOWN_SCHEMA} this report knows: "
            "what it does not know is left out."
        )


def part(mapping: Any, *keys: str) -> dict[str, Any]:
    """The object at mapping[key][key]…, {} where any step is missing or not an object."""
    for key in keys:
        mapping = mapping.get(key) if isinstance(mapping, Mapping) else None
    return dict(mapping) if isinstance(mapping, Mapping) else {}


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts by column name."""
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, values, strict=True)) for values in frame.itertuples(index=False, name=None)]


def items(mapping: Any, key: str) -> list[dict[str, Any]]:
    """The objects in the list at mapping[key]; anything else in it is left out."""
    found = mapping.get(key) if isinstance(mapping, Mapping) else None
    return [dict(entry) for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def strings(mapping: Any, key: str) -> list[str]:
    """The strings in the list at mapping[key], printable; anything else in it is left out."""
    found = mapping.get(key) if isinstance(mapping, Mapping) else None
    return [text(entry) for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def number(value: Any) -> float:
    """`value` as a float; nan when it is not a finite number. An object {"value": x} counts as x."""
    if isinstance(value, Mapping):
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def text(value: Any, default: str = "") -> str:
    """`value` as printable text without control characters; `default` when it is None."""
    if value is None:
        return default
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in str(value))
