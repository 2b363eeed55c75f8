"""Cells of two runs paired by setting, load and block; and what makes the two runs unequal experiments.

A run need not hold every setting at every load in every block: what both have is compared, what only one has
is named.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.design.cell_purpose import CellPurpose
from experiments.run_folder.cell_summary import Workload
from experiments.run_folder.measured_cell import MeasuredCell, finished_cells
from experiments.run_folder.provenance import Provenance
from experiments.run_folder.reading import read_run
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.engine_knobs import flag_of
from loadtests.planning.optional_fields import AnswerLengths

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

    a: RunState
    b: RunState
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
    alone = [f"only in A: {name}" for name in _names(k for k in cells_a if k not in cells_b)]
    alone += [f"only in B: {name}" for name in _names(k for k in cells_b if k not in cells_a)]
    found = [*_of_runs(state_a, state_b), *_of_cells([(cells_a[k], cells_b[k]) for k in usable])]
    return Pairing(
        state_a, state_b, tuple(pairs), tuple(alone), tuple(_name(k) for k in invalid), tuple(found)
    )


def _by_key(run: Path) -> dict[Key, MeasuredCell]:
    """Cells that a partner may have: also those that confirm a choice, since the other run may have measured
    the same block to choose. Not the search for a rate, which finds other rates in each run.
    """
    cells = [c for c in finished_cells(run) if not c.is_sentinel and c.purpose is not CellPurpose.CAPACITY]
    return {(cell.setting, cell.load, cell.block): cell for cell in cells}


def _order(key: Key) -> tuple[str, int, str, int]:
    setting, load, block = key
    return load, setting.limits.max_active, setting.name, block


def _name(key: Key) -> str:
    setting, load, block = key
    return f"{setting.name} {load} block {block}"


def _names(keys: Iterable[Key]) -> list[str]:
    """One name for all blocks of a setting and load."""
    blocks: dict[tuple[Setting, str], list[int]] = {}
    for setting, load, block in sorted(keys, key=_order):
        blocks.setdefault((setting, load), []).append(block)
    return [f"{setting.name} {load} {spans(found)}" for (setting, load), found in blocks.items()]


def spans(blocks: Iterable[int]) -> str:
    """Block numbers, ascending, as they are said: `block 1`, `blocks 0–2, 5`."""
    runs: list[list[int]] = []
    for block in blocks:
        if runs and block == runs[-1][-1] + 1:
            runs[-1].append(block)
        else:
            runs.append([block])
    words = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
    return f"{'block' if sum(map(len, runs)) == 1 else 'blocks'} {words}"


def _of_runs(a: RunState, b: RunState) -> list[Difference]:
    """Engine, model, flags, machine; and SLO and versions, which a comparison can live with."""
    rows = [(what, of(a), of(b), matters) for what, of, matters in _FACTS]
    return [Difference(what, _text(x), _text(y), matters) for what, x, y, matters in rows if x != y]


def _of_cells(both: list[tuple[MeasuredCell, MeasuredCell]]) -> list[Difference]:
    """Workload and arrivals: pairing cancels the trace only where it was the same trace."""
    found: dict[str, Difference] = {}
    for a, b in both:
        x, y = a.summary.workload, b.summary.workload
        lengths: list[tuple[str, object, object]] = [
            ("scenario", x.scenario, y.scenario),
            ("prompt_tokens", x.prompt_tokens, y.prompt_tokens),
            ("output_tokens", x.output_tokens, y.output_tokens),
            ("answer lengths", _answers(x), _answers(y)),
        ]
        for what, of_a, of_b in lengths:
            if of_a != of_b:
                found.setdefault(what, Difference(what, _text(of_a), _text(of_b), True))
        if x.plan_hash != y.plan_hash:
            where = f"arrival plan of {a.load}, block {a.block}"
            first, second = (f"{cell.plan_hash[:12]} at {cell.rate_per_s:g}/s" for cell in (a, b))
            found.setdefault(where, Difference(where, first, second, True))
    return list(found.values())


def _answers(workload: Workload) -> AnswerLengths:
    """Earlier versions forced them, and did not say so."""
    return workload.answer_lengths or AnswerLengths.FORCED


def _flags(state: RunState) -> list[str] | None:
    """The engine's command without the address, which is another one in every run, and without the limits
    that the run varied, which are part of its settings."""
    facts = _facts(state)
    if not facts.command:
        return None
    varied = [flag_of(name) for name in facts.knobs or ()]
    dropped = {i for i, word in enumerate(facts.command) if word in ("--port", "--host", *varied)}
    return [word for i, word in enumerate(facts.command) if i not in dropped and i - 1 not in dropped]


def _facts(state: RunState) -> EngineFacts:
    return state.engine.facts if state.engine is not None else EngineFacts()


def _machine(state: RunState) -> Provenance:
    return state.provenance or Provenance()


_FACTS: tuple[tuple[str, Callable[[RunState], object], bool], ...] = (
    ("engine", lambda state: state.engine and state.engine.label, True),
    ("model", lambda state: state.engine and state.engine.model, True),
    ("engine version", lambda state: _facts(state).version, True),
    ("engine flags", _flags, True),
    ("engine's cores", lambda state: _facts(state).cpus, True),
    ("CPU", lambda state: _machine(state).cpu, True),
    ("GPU", lambda state: _machine(state).gpus, True),
    ("SLO", lambda state: state.slo and state.slo.text, False),
    ("commit", lambda state: _machine(state).commit, False),
    ("packages", lambda state: _machine(state).packages, False),
)
"""What is compared of two runs, how it is read, and whether numbers are not comparable where it differs."""


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
