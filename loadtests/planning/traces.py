"""Recorded traces: reading the published formats and our own, scaling them, replaying them as a plan.

Formats are told apart by their columns:
- ours, CSV: arrival_s,prompt_tokens,output_tokens[,session,prefix_group,class]
- Azure LLM inference 2023 and 2024, CSV: TIMESTAMP,ContextTokens,GeneratedTokens
- BurstGPT, CSV: Timestamp,[Session ID,]Model,Request tokens,Response tokens,… (no response tokens: left out)
- Mooncake, JSONL: {"timestamp": ms, "input_length", "output_length", "hash_ids": [512-token blocks]}
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson

from loadtests.planning import plan as plans
from loadtests.planning.mix import Floats, Mix, Sessions
from loadtests.planning.plan import Columns, Header, Plan
from loadtests.planning.workloads import Counts

SCALES = ("time", "thin")


@dataclass(frozen=True, slots=True)
class Trace:
    """Columns (n,), ascending in time; -1 = none. `notes` says in words what reading changed or left out."""

    name: str
    arrival_s: Floats
    prompt_tokens: Counts
    output_tokens: Counts
    session: Counts
    prefix_group: Counts
    cls: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def rate_per_s(self) -> float:
        """Mean rate over the span of the trace."""
        return len(self) / float(self.arrival_s[-1]) if len(self) and self.arrival_s[-1] > 0 else 0.0

    def take(self, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Trace:
        """The requests where `keep` (n,) is true."""
        return replace(
            self,
            arrival_s=self.arrival_s[keep],
            prompt_tokens=self.prompt_tokens[keep],
            output_tokens=self.output_tokens[keep],
            session=self.session[keep],
            prefix_group=self.prefix_group[keep],
            cls=tuple(name for name, kept in zip(self.cls, keep, strict=True) if kept),
        )


def read(path: Path) -> Trace:
    """Read a trace file; raises ValueError naming the file, the line and what was expected."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            if path.suffix in (".jsonl", ".json"):
                rows, notes = _mooncake(lines)
            else:
                rows, notes = _csv(lines)
    except OSError as error:
        raise ValueError(f"trace {path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"trace {path}: {error}") from None
    if not rows:
        raise ValueError(f"trace {path}: has no requests")
    rows.sort(key=lambda row: row.arrival_s)
    start = rows[0].arrival_s
    return Trace(
        path.name,
        np.array([row.arrival_s - start for row in rows]),
        np.array([row.prompt for row in rows]),
        np.array([row.output for row in rows]),
        _numbered(row.session for row in rows),
        _numbered(row.group for row in rows),
        tuple(row.cls for row in rows),
        tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    arrival_s: float
    prompt: int
    output: int
    session: str = ""
    group: str = ""
    cls: str = "trace"


def _numbered(names: Iterable[str]) -> Counts:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) if name else -1 for name in names])


def _csv(lines: Iterable[str]) -> tuple[list[_Row], list[str]]:
    reader = csv.DictReader(lines)
    columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
    if "arrival_s" in columns:
        make = _ours
    elif "contexttokens" in columns:
        make = _azure
    elif "request tokens" in columns:
        make = _burstgpt
    else:
        raise ValueError(
            f"unknown columns {', '.join(columns) or '(none)'}; "
            "ours are arrival_s,prompt_tokens,output_tokens"
        )
    rows: list[_Row] = []
    failed = 0
    for number, raw in enumerate(reader, start=2):
        try:
            row = make({key: raw[name] for key, name in columns.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number}: {error}") from None
        if row.output < 1:
            failed += 1
        else:
            rows.append(replace(row, prompt=max(1, row.prompt)))
    return rows, [f"{failed} requests without an answer (0 tokens) left out"] if failed else []


def _ours(row: Mapping[str, str]) -> _Row:
    return _Row(
        float(row["arrival_s"]),
        int(row["prompt_tokens"]),
        int(row["output_tokens"]),
        row.get("session") or "",
        row.get("prefix_group") or "",
        row.get("class") or "trace",
    )


def _azure(row: Mapping[str, str]) -> _Row:
    # Seven digits of a second, and a zone in 2024; only differences count, so the zone may go.
    text = row["timestamp"].strip().replace("T", " ").split("+")[0].rstrip("Z")
    whole, _, fraction = text.partition(".")
    seconds = (datetime.fromisoformat(whole) - datetime(2000, 1, 1)).total_seconds()
    return _Row(
        seconds + float(f"0.{fraction or 0}"),
        int(row["contexttokens"]),
        int(row["generatedtokens"]),
        cls="azure",
    )


def _burstgpt(row: Mapping[str, str]) -> _Row:
    return _Row(
        float(row["timestamp"]),
        int(float(row["request tokens"])),
        int(float(row["response tokens"])),
        (row.get("session id") or "").strip(),
        "",
        row.get("model") or "burstgpt",
    )


def _mooncake(lines: Iterable[str]) -> tuple[list[_Row], list[str]]:
    """Stamps come in 3 s ticks in the conversation trace: arrivals of one tick are spread evenly over it."""
    raw = [orjson.loads(line) for line in lines if line.strip()]
    stamps = [row["timestamp"] / 1e3 for row in raw]
    ticks = sorted(set(stamps))
    tick_s = min((b - a for a, b in pairwise(ticks)), default=0.0)
    spread = tick_s >= 1.0 and len(ticks) <= len(stamps) / 2
    together = Counter(stamps)
    last_in_tick: dict[float, int] = {}
    rows = []
    for row, stamp in zip(raw, stamps, strict=True):
        order = last_in_tick[stamp] = last_in_tick.get(stamp, -1) + 1
        shift = tick_s * order / together[stamp] if spread else 0.0
        first = str(row["hash_ids"][0]) if row.get("hash_ids") else ""
        rows.append(
            _Row(
                stamp + shift,
                int(row["input_length"]),
                max(1, int(row["output_length"])),
                "",
                first,
                "mooncake",
            )
        )
    return rows, [f"stamps are {tick_s:g} s ticks: arrivals spread evenly inside a tick"] if spread else []


def scaled(trace: Trace, rate_per_s: float, how: str, seed: int) -> Trace:
    """The trace at another mean rate (requests per second; 0 = as recorded).

    time: all times multiplied, which keeps the shape of bursts. thin: each request kept with a probability,
    which keeps the clock; it cannot make a trace denser (ValueError).
    """
    if rate_per_s == 0:
        return trace
    factor = rate_per_s / trace.rate_per_s
    if how == "time":
        note = f"time scaled by {1 / factor:.4g} to {rate_per_s:g} requests/s"
        return replace(trace, arrival_s=trace.arrival_s / factor, notes=(*trace.notes, note))
    if factor > 1:
        raise ValueError(
            f"rate = {rate_per_s:g}: thinning cannot exceed the trace's {trace.rate_per_s:.4g} requests/s; "
            "scale by time"
        )
    keep = np.random.default_rng([seed, 7]).random(len(trace)) < factor
    note = f"thinned to {factor:.1%} for {rate_per_s:g} requests/s"
    return replace(trace.take(keep), notes=(*trace.notes, note))


def replay(
    trace: Trace,
    *,
    rate_per_s: float,
    warm_up_s: float,
    measure_s: float,
    seed: int,
    mix: Mix,
    scale: str = "time",
) -> Plan:
    """A plan that replays the first warm_up_s + measure_s seconds of the scaled trace; clips
    lengths, and says so."""
    mix.check()
    at_rate = scaled(trace, rate_per_s, scale, seed)
    cut = at_rate.take(at_rate.arrival_s < warm_up_s + measure_s)
    notes = [*at_rate.notes, f"{len(cut)} of {len(trace)} requests of {trace.name}"]
    for side, lengths, limit in (
        ("prompt", cut.prompt_tokens, mix.max_prompt_tokens),
        ("output", cut.output_tokens, mix.max_output_tokens),
    ):
        if len(cut) and (share := float(np.mean(lengths > limit))):
            notes.append(f"{share:.1%} of the {side} lengths were clipped (limit {limit} tokens)")
    header = Header(
        "trace", trace.name, seed, rate_per_s or trace.rate_per_s, warm_up_s, measure_s, "open", len(cut),
        {**asdict(mix), "workload": trace.name}, tuple(notes),
    )  # fmt: skip
    prompts = np.minimum(cut.prompt_tokens, mix.max_prompt_tokens)
    outputs = np.minimum(cut.output_tokens, mix.max_output_tokens)
    sessions = Sessions(cut.session, np.fromiter(_turns(cut.session), np.int64, len(cut)), prompts)
    columns = Columns(cut.arrival_s, cut.cls, prompts, outputs, sessions, cut.prefix_group)
    return plans.assemble(header, columns, mix)


def _turns(session: Counts) -> Iterator[int]:
    last_turn: dict[int, int] = {}
    for number in session.tolist():
        if number < 0:
            yield 0
        else:
            last_turn[number] = last_turn.get(number, -1) + 1
            yield last_turn[number]
