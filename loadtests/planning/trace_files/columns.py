"""The requests of a file as columns, in the order of the file."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import nan

from loadtests.planning.trace_files.requests import Request


@dataclass(slots=True)
class Labels:
    """Names as numbers, in order of appearance; -1 for none."""

    numbers: dict[str, int] = field(default_factory=dict)
    column: array[int] = field(default_factory=lambda: array("q"))

    def add(self, name: str) -> None:
        """Append the number of the name."""
        self.column.append(self.numbers.setdefault(name, len(self.numbers)) if name else -1)


@dataclass(slots=True)
class RequestColumns:
    """`stamps` in the file's unit, nan for a request that follows the answer of the turn before; `delays`
    after it. `rows` are the rows' numbers. `parents`: session → the one that it goes on from. `counted`:
    what was changed or left out, and how often."""

    stamps: array[float] = field(default_factory=lambda: array("d"))
    delays: array[float] = field(default_factory=lambda: array("d"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    outputs: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    sessions: Labels = field(default_factory=Labels)
    groups: Labels = field(default_factory=Labels)
    classes: Labels = field(default_factory=Labels)
    parents: dict[str, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.stamps)

    def add(self, number: int, request: Request) -> None:
        """Append the request of row `number`; a side of 0 tokens becomes 1, and is counted."""
        for side, count in (("prompts", request.prompt_tokens), ("answers", request.output_tokens)):
            if count == 0:
                self.counted[f"{side} of 0 tokens played as 1"] += 1
        self.stamps.append(nan if request.stamp is None else request.stamp)
        self.delays.append(request.delay)
        self.prompts.append(max(1, request.prompt_tokens))
        self.outputs.append(max(1, request.output_tokens))
        self.rows.append(number)
        self.sessions.add(request.session)
        self.groups.add(request.group)
        self.classes.add(request.cls)
        if request.parent:
            self.parents[request.session] = request.parent
