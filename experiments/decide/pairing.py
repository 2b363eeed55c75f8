"""Cells of two runs paired by setting, load and block; and what makes the two runs unequal experiments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.run_folder.measured_cell import MeasuredCell, matrix_cells, read_run
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import flag_of

Key = tuple[Setting, str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same in both runs. `matters`: numbers are not comparable because of it."""

    what: str
    a: str
    b: str
    matters: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.a} / {self.b}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One setting under one load in both runs: the cells by block, position by position."""

    setting: Setting
    load: str
    a: tuple[MeasuredCell, ...]
    b: tuple[MeasuredCell, ...]

    @property
    def name(self) -> str:
        return f"{self.setting.name} {self.load}"

    @property
    def same_plans(self) -> bool:
        """Whether both sides saw the same arrivals in every block."""
        return all(x.plan_hash == y.plan_hash for x, y in zip(self.a, self.b, strict=True))


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two runs laid side by side; `alone` names what has no partner, `left_out` what is marked invalid."""

    a: dict[str, Any]
    b: dict[str, Any]
    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]
    left_out: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def what_matters(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if d.matters)


def pair(a: Path, b: Path) -> Pairing:
    """Lay run `b` beside the baseline `a`.

    Raises:
        UserError: one of them is no run folder.
    """
    state_a, state_b = read_run(a), read_run(b)
    cells_a, cells_b = _by_key(a), _by_key(b)
    common = [key for key in cells_a if key in cells_b]
    invalid = [k for k in common if cells_a[k].invalid_codes or cells_b[k].invalid_codes]
    usable = [key for key in common if key not in invalid]
    pairs = []
    for setting, load in dict.fromkeys((s, load) for s, load, _ in sorted(usable, key=_order)):
        blocks = sorted(block for s, of, block in usable if (s, of) == (setting, load))
        keys: list[Key] = [(setting, load, block) for block in blocks]
        pairs.append(Pair(setting, load, tuple(cells_a[k] for k in keys), tuple(cells_b[k] for k in keys)))
    alone = [f"only in A: {_name(k)}" for k in cells_a if k not in cells_b]
    alone += [f"only in B: {_name(k)}" for k in cells_b if k not in cells_a]
    found = [*_of_runs(state_a, state_b), *_of_cells([(cells_a[k], cells_b[k]) for k in usable])]
    return Pairing(
        state_a, state_b, tuple(pairs), tuple(alone), tuple(_name(k) for k in invalid), tuple(found)
    )


def _by_key(run: Path) -> dict[Key, MeasuredCell]:
    return {(cell.setting, cell.load, cell.block): cell for cell in matrix_cells(run)}


def _order(key: Key) -> tuple[str, int, str, int]:
    setting, load, block = key
    return load, setting.limits.max_active, setting.name, block


def _name(key: Key) -> str:
    setting, load, block = key
    return f"{setting.name} {load} block {block}"


def _of_runs(a: dict[str, Any], b: dict[str, Any]) -> list[Difference]:
    """Engine, model, flags, machine; and SLO and versions, which a comparison can live with."""
    rows = [
        ("engine", _engine(a, "label"), _engine(b, "label"), True),
        ("model", _engine(a, "model"), _engine(b, "model"), True),
        ("engine version", _fact(a, "version"), _fact(b, "version"), True),
        ("engine flags", _flags(a), _flags(b), True),
        ("engine's cores", _fact(a, "cpus"), _fact(b, "cpus"), True),
        ("CPU", _machine(a, "cpu"), _machine(b, "cpu"), True),
        ("GPU", _machine(a, "gpus"), _machine(b, "gpus"), True),
        ("SLO", (a.get("slo") or {}).get("text"), (b.get("slo") or {}).get("text"), False),
        ("commit", _machine(a, "commit"), _machine(b, "commit"), False),
        ("packages", _machine(a, "packages"), _machine(b, "packages"), False),
    ]
    return [Difference(what, _text(x), _text(y), matters) for what, x, y, matters in rows if x != y]


def _of_cells(both: list[tuple[MeasuredCell, MeasuredCell]]) -> list[Difference]:
    """Workload and arrivals: pairing cancels the trace only where it was the same trace."""
    found: dict[str, Difference] = {}
    for a, b in both:
        x, y = a.summary["workload"], b.summary["workload"]
        for what in ("scenario", "prompt_tokens", "output_tokens"):
            if x.get(what) != y.get(what):
                found.setdefault(what, Difference(what, _text(x.get(what)), _text(y.get(what)), True))
        if x["plan_hash"] != y["plan_hash"]:
            where = f"arrival plan of {a.load}, block {a.block}"
            first, second = (f"{w['plan_hash'][:12]} at {w['rate_per_s']:g}/s" for w in (x, y))
            found.setdefault(where, Difference(where, first, second, True))
    return list(found.values())


def _engine(state: dict[str, Any], key: str) -> Any:
    return (state.get("engine") or {}).get(key)


def _fact(state: dict[str, Any], key: str) -> Any:
    return (_engine(state, "facts") or {}).get(key)


def _flags(state: dict[str, Any]) -> list[str] | None:
    """The engine's command without the address, which is another one in every run, and without the limits
    that the run varied, which are part of its settings."""
    command = _fact(state, "command")
    if command is None:
        return None
    words = [str(word) for word in command]
    varied = [flag_of(name) for name in _fact(state, "knobs") or ()]
    dropped = {i for i, word in enumerate(words) if word in ("--port", "--host", *varied)}
    return [word for i, word in enumerate(words) if i not in dropped and i - 1 not in dropped]


def _machine(state: dict[str, Any], key: str) -> Any:
    return (state.get("provenance") or {}).get(key)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
