"""One sweep under one condition, watched from outside, as a line of the file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.first_try import conditions, from_folder, witness
from benchmarks.first_try.conditions import Condition, Stretch
from benchmarks.first_try.from_folder import Measured, Names
from benchmarks.first_try.lines import ROOT, CellLine, RunLine
from benchmarks.first_try.witness import Foreign, Moment
from experiments.errors import EnvironmentProblem
from experiments.stack import cores, process
from experiments.stack.cores import Cores

FLAGS = ("--engine", "vllm-cpu")
"""Of the sweep: what `make sweep` takes where there is no GPU."""
LONGEST_S = 3600.0
"""That stretches are drawn for."""
READY = "engine ready"
"""How the line of the sweep begins that says so."""
_LOOP = Path(__file__).with_name("busy_loop.py")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run.

    Attributes:
        folder: of the run; the runner's own logs go beside it.
        until_s: the sweep is ended then, monotonic clock.
    """

    condition: Condition
    seed: int
    folder: Path
    flags: tuple[str, ...] = FLAGS
    until_s: float = float("inf")

    @property
    def logs(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.first-try")


@dataclass(frozen=True, slots=True)
class _Watched:
    """What the runner itself saw. Times are Unix seconds."""

    started_s: float
    ready_s: float
    ended_s: float
    exit_code: int
    seconds: tuple[Foreign, ...]


def play(order: Order) -> RunLine:
    """Run the sweep to its end; the loop has ended by then, whatever happens.

    Raises:
        EnvironmentProblem: the sweep gives no answer to keep: it never came to its engine, or time was over.
    """
    shared = cores.split(cores.AUTO, engine_is_here=True)
    if shared.engine is None or shared.others is None:
        raise EnvironmentProblem("two cores are needed, one for the engine and one for what measures it")
    stretches = conditions.schedule(order.condition, order.seed, LONGEST_S)
    watched = _watch(order, shared, stretches)
    return _line(order, shared, stretches, watched)


def _watch(order: Order, shared: Cores, stretches: Sequence[Stretch]) -> _Watched:
    argv = [sys.executable, "-m", "experiments.sweep", "--out", str(order.folder), *order.flags]
    command = process.Command(
        argv, "the sweep", order.logs / "sweep.log", cwd=ROOT, stop_signal="INT", grace_s=60
    )
    with ExitStack() as stack:
        started_s = time.time()
        sweep = stack.enter_context(process.running(command))
        stack.enter_context(_pinned(shared))
        seconds: list[Foreign] = []
        ready_s: float | None = None
        last = Moment.now()
        while (code := sweep.wait(1.0)) is None:
            if ready_s is None and READY in command.log_path.read_text(errors="replace"):
                ready_s = time.time()
                for core in sorted(_planted_on(order.condition, shared)):
                    stack.enter_context(_loop(order, core, ready_s, stretches))
            now = Moment.now()
            seconds.append(witness.between(last, now))
            last = now
            if time.monotonic() > order.until_s:
                raise EnvironmentProblem("the time is over; the run that had begun is not counted")
        if ready_s is None:
            raise EnvironmentProblem(f"the sweep never came to its engine: {sweep.last_lines()}")
        return _Watched(started_s, ready_s, time.time(), code, tuple(seconds))


def _planted_on(condition: Condition, shared: Cores) -> frozenset[int]:
    planted = {Condition.ENGINE_BUSY: shared.engine, Condition.HARNESS_BUSY: shared.others}
    return planted.get(condition) or frozenset()


@contextmanager
def _loop(order: Order, core: int, begin_s: float, stretches: Sequence[Stretch]) -> Iterator[None]:
    """The planted work on one core. It runs behind a tether: it ends with this process, however that ends."""
    argv = [sys.executable, "-I", "-S", str(_LOOP), f"{begin_s:.3f}"]
    argv += [f"{one.start_s:.3f}-{one.end_s:.3f}" for one in stretches]
    log = order.logs / f"loop-{core}.log"
    with process.running(process.Command(argv, "the planted loop", log, cpus={core}, grace_s=1)):
        yield


@contextmanager
def _pinned(shared: Cores) -> Iterator[None]:
    """This process on the harness's cores, so that watching does not cost the engine. Only once the sweep has
    started: it would inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, shared.others or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _line(order: Order, shared: Cores, stretches: Sequence[Stretch], watched: _Watched) -> RunLine:
    run = from_folder.read(order.folder / "run.json")
    names = Names.of_run(run)
    answer = from_folder.read(order.folder / "recommendation.json")
    cells = [_cell(one, names, shared, stretches, watched) for one in from_folder.measurements(order.folder)]
    whole = [
        _rounded(witness.ratio(watched.seconds, group or (), watched.ready_s, watched.ended_s))
        for group in (shared.engine, shared.others)
    ]
    return RunLine(
        commit=_git("rev-parse", "HEAD"),
        changed=bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/evidence")),
        condition=order.condition,
        seed=order.seed,
        started_utc=datetime.fromtimestamp(watched.started_s, UTC).isoformat(timespec="seconds"),
        folder=order.folder.name,
        engine=(run.get("engine") or {}).get("label"),
        cores=len(cores.usable()),
        ready_s=round(watched.ready_s - watched.started_s, 1),
        wall_s=round(watched.ended_s - watched.ready_s, 1),
        exit_code=watched.exit_code,
        capacity_per_s=_rounded((run.get("probe") or {}).get("capacity_per_s")),
        recommended=names.name(answer["setting"]) if answer else None,
        inseparable=tuple(sorted(names.name(one) for one in answer.get("inseparable", ()))),
        foreign_engine_ratio=whole[0],
        foreign_harness_ratio=whole[1],
        cells=tuple(sorted(cells, key=lambda cell: cell.start_s)),
    )


def _cell(
    cell: Measured, names: Names, shared: Cores, stretches: Sequence[Stretch], watched: _Watched
) -> CellLine:
    start_s, end_s = from_folder.window(cell.summary)
    ready_s = watched.ready_s
    foreign = [
        _rounded(witness.ratio(watched.seconds, group or (), start_s, end_s))
        for group in (shared.engine, shared.others)
    ]
    return CellLine(
        id=cell.id,
        setting=names.name(cell.summary["setting"]),
        load=cell.summary["workload"]["load"],
        kept=cell.kept,
        start_s=round(start_s - ready_s, 1),
        end_s=round(end_s - ready_s, 1),
        attainment=_rounded(cell.summary.get("attainment")),
        index=_rounded(from_folder.index(cell.summary)),
        flagged=from_folder.is_flagged(cell.summary),
        doubts=from_folder.doubts(cell.summary),
        planted_ratio=round(conditions.planted_ratio(stretches, start_s - ready_s, end_s - ready_s), 3),
        foreign_engine_ratio=foreign[0],
        foreign_harness_ratio=foreign[1],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
