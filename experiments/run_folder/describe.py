"""`python -m experiments.run_folder.describe`: docs/run-folder.md from the declared types, so that it cannot
be wrong."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator

from experiments.run_folder.applied_setting import AppliedSetting
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.codec import SCHEMA_VERSION
from experiments.run_folder.live_run import LiveRun
from experiments.run_folder.prediction import Prediction
from experiments.run_folder.race_story import RaceStory
from experiments.run_folder.recommendation import Recommendation
from experiments.run_folder.run_state import RunState
from experiments.run_folder.what_if import WhatIf
from experiments.spec.setting import Setting
from loadtests.recording.load_run import Asked, Ended

DOCUMENTS: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("run.json", "", (RunState,)),
    ("cells/ID/summary.json", "", (CellSummary,)),
    ("cells/ID/cell.json", "", (AppliedSetting,)),
    ("cells/ID/load.json", "Two types, their fields side by side in one object.", (Asked, Ended)),
    ("recommendation.json", "", (Recommendation,)),
    ("race.json", "Of a sweep that raced its settings.", (RaceStory,)),
    ("predicted.json", "", (Prediction,)),
    ("what_if.json", "Of a run with a calibration.", (WhatIf,)),
    ("live.json", "Of `compare --live`: two runs, `a/` and `b/`, are beside it.", (LiveRun,)),
)

_HEAD = f"""# The run folder

Everything that a sweep, `tune`, `capacity` or a load run leaves: reports, comparisons, notebooks and your own
scripts need nothing else. This page is made from the declared types in `experiments/run_folder/` and
`loadtests/recording/` by `python -m experiments.run_folder.describe`; a test holds them equal. Every document
carries `schema_version` {SCHEMA_VERSION}. Seconds, requests per second and shares from 0 to 1, as the names
say; null where a thing is not known.

```text
runs/NAME/
  run.json               what was asked, on what it ran, how far it came
  recommendation.json    the setting to apply; recommended.env is the same for gateway and compose
  recommended-lanes.toml its lanes, where those were varied; no keys are in it
  race.json              of a race: how it went, and where every setting stood
  predicted.json         of `tune`: what the model said
  what_if.json           with a calibration: what it expects of other settings and loads
  report.html            and report-data/, the same as CSV and Parquet
  journal.jsonl          what happened when, an object a line
  prompt_cost.json       what words cost in the engine's prompts
  plans/HASH.json        arrival plans, each once
  cells/ID/              one setting under one load; a dot in front: not whole yet
    summary.json         what the cell showed
    cell.json            what was set for it
    load.json            what the load generator says of itself
    plan.json            its arrivals
    records.parquet      a row a request, every phase
    series.parquet       Prometheus's samples: t_s, metric, value
    steps.parquet        the engine's steps, a row a second: what the speed index is made from
  aborted/ID.N/          cells that were measured again, or cut short
  logs/  prometheus/     of the processes
```

A load run of its own (`locust`) has `cells/load/` with `plan.json`, `records.jsonl` and `load.json`; whatever
reads runs reads it, too. All cells of all runs are one table:

```sql
SELECT filename, outcome, count(*)
FROM read_parquet('runs/*/cells/*/records.parquet', filename = true) GROUP BY ALL;
```
"""


def page() -> str:
    """The page as Markdown."""
    lines = [_HEAD]
    described: set[type] = set()
    for name, note, kinds in DOCUMENTS:
        lines += [f"## `{name}`", ""] + ([note, ""] if note else [])
        for kind in kinds:
            lines += [*_table(kind), ""]
        described |= set(kinds)
    lines += ["## The parts", ""]
    for part in _parts([kind for _, _, kinds in DOCUMENTS for kind in kinds]):
        if part not in described:
            described.add(part)
            lines += [f"### {part.__name__}", "", *_table(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def document_types() -> list[type]:
    """Every dataclass that a document is made of, each once; without those of other packages' own use."""
    tops = [kind for _, _, kinds in DOCUMENTS for kind in kinds]
    return [kind for kind in dict.fromkeys([*tops, *_parts(tops)]) if dataclasses.is_dataclass(kind)]


def _table(kind: type) -> list[str]:
    about = " ".join((inspect.getdoc(kind) or "").split())
    if issubclass(kind, enum.Enum):
        rows = [f"| `{member.value}` | {_docs(kind).get(member.name, '')} |" for member in kind]
        return [about, "", "| word | meaning |", "| --- | --- |", *rows]
    if kind is Setting:
        flat = (
            "Flat: the fields of Limits without `version`, and those of EngineKnobs that are varied; "
            "`lanes`, where those are, with a `name`, `classes` and `lanes` as `PUT /admin/lanes` takes them."
        )
        return [about, "", flat]
    rows = [
        f"| `{field.name}` | {_shown(hint)} | {_docs(kind).get(field.name, '')} |"
        for field, hint in _fields(kind)
    ]
    return [about, "", "| field | type | meaning |", "| --- | --- | --- |", *rows]


def _fields(kind: type) -> Iterator[tuple[dataclasses.Field[object], object]]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield field, hints[field.name]


def _docs(kind: type) -> dict[str, str]:
    """The texts below the fields of a class, by the field's name."""
    body = ast.parse(inspect.getsource(sys.modules[kind.__module__])).body
    (found,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    docs = {}
    for field, text in zip(found.body, found.body[1:], strict=False):
        target = field.target if isinstance(field, ast.AnnAssign) else None
        if isinstance(field, ast.Assign):
            target = field.targets[0]  # type: ignore[assignment] # a member of an enum has one name
        said = text.value if isinstance(text, ast.Expr) else None
        if isinstance(target, ast.Name) and isinstance(said, ast.Constant) and isinstance(said.value, str):
            docs[target.id] = " ".join(said.value.split())
    return docs


def _shown(hint: object) -> str:
    """A type for people: `number or null`, `list of Doubt`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join(_shown(part) for part in typing.get_args(hint))
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return f"list of {_shown(arguments[0])}"
    if origin is dict:
        return f"object of {_shown(arguments[1])} by name"
    words = {str: "text", float: "number", int: "whole number", bool: "true or false", type(None): "null"}
    for kind, word in words.items():
        if hint is kind:
            return word
    name = getattr(hint, "__name__", "")
    return f"[{name}](#{name.lower()})" if isinstance(hint, type) else "any JSON"


def _parts(kinds: list[type]) -> Iterator[type]:
    """The classes that the fields of `kinds` hold, and those in these, in order of appearance."""
    for kind in kinds:
        if not dataclasses.is_dataclass(kind):
            continue
        inner = [part for _, hint in _fields(kind) for part in _classes(hint)]
        yield from inner
        yield from _parts([part for part in inner if part is not kind])


def _classes(hint: object) -> Iterator[type]:
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, enum.Enum)):
        yield hint
    for part in typing.get_args(hint):
        yield from _classes(part)


if __name__ == "__main__":
    sys.stdout.write(page())
