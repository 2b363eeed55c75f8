"""The runner of real first sweeps: what it plants, what it sees, what it keeps, and what its table says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from benchmarks.first_try import conditions, from_folder, lines, proc, table, witness
from benchmarks.first_try.__main__ import next_condition, parse_wanted
from benchmarks.first_try.conditions import Condition, Stretch, planted_ratio
from benchmarks.first_try.figures import accepted, agrees, figures, is_harmless
from benchmarks.first_try.from_folder import Names
from benchmarks.first_try.lines import RunLine
from benchmarks.first_try.one_run import Order, play
from benchmarks.first_try.proc import Process
from benchmarks.first_try.witness import Foreign, Moment
from experiments.errors import UserError
from tests.benchmarks.first_try_lines import CELL, RUN, busy, quiet
from tests.experiments import sweeping

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
STARTS_SOON = 36
"""A seed whose first stretch begins 0.2 s after the engine is ready, and lasts 13 s."""
ON_THE_EMULATOR = (
    *("--engine", "emulator", "--engine-cpus", "auto", "--max-active", "2", "--queue-mode", "reject"),
    *(
        "--design",
        "grid",
        "--load",
        "sustained@0.6x",
        "--measure",
        "3s",
        "--warm-up",
        "1s",
        "--min-requests",
        "5",
    ),
)


def test_the_planted_stretches_are_as_long_and_as_many_as_said() -> None:
    """8 to 20 s each, 30 % of the time over many runs; the same seed, the same stretches."""
    runs = [conditions.schedule(Condition.ENGINE_BUSY, seed, 3600.0) for seed in range(100)]
    lengths_s = [one.end_s - one.start_s for run in runs for one in run]
    assert 8 <= min(lengths_s) <= max(lengths_s) <= 20
    assert all(before.end_s < after.start_s for run in runs for before, after in pairwise(run))
    assert sum(planted_ratio(run, 0, 3600) for run in runs) / 100 == pytest.approx(0.3, abs=0.01)
    assert runs[7] == conditions.schedule(Condition.ENGINE_BUSY, 7, 3600.0)
    assert runs[7] != conditions.schedule(Condition.HARNESS_BUSY, 7, 3600.0)
    assert conditions.schedule(Condition.QUIET, 7, 3600.0) == ()


def test_the_planted_share_of_a_window() -> None:
    """Parts of stretches at its edges count as parts."""
    stretches = (Stretch(0, 12), Stretch(20, 30), Stretch(50, 60))
    assert planted_ratio(stretches, 10, 26) == pytest.approx((2 + 6) / 16)
    assert planted_ratio(stretches, 12, 20) == 0
    assert planted_ratio(stretches, 52, 54) == 1


def test_what_the_system_tells_is_read() -> None:
    """Idle and waiting for a disk are not busy; a program may be called what it wants."""
    tick = proc.TICK_S
    stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 400 500 6 7 8 0 0\ncpu11 10 0 0 1 0 0 0 0 0 0\nintr 5\n"
    assert proc.busy_s(stat) == pytest.approx({0: 27 * tick, 11: 10 * tick})
    behind = " ".join(["S", "42", *["0"] * 9, "5", "6", "7", "8", *["0"] * 4, "999", *["0"] * 16, "3"])
    started, process = proc.parsed(f"77 (a) b (c) {behind} 0 0")
    assert (started, process.parent, process.core) == (999, 42, 3)
    assert (process.own_s, process.reaped_s) == pytest.approx((11 * tick, 15 * tick))
    processes = {pid: (0, Process(parent, 0, 0, 0)) for pid, parent in {2: 1, 3: 2, 4: 3, 5: 1, 1: 0}.items()}
    assert set(proc.tree(2, processes)) == {2, 3, 4}


def moment(at_s: float, busy_s: Mapping[int, float], **ours: tuple[int, float, float, int]) -> Moment:
    """`ours`: parent, own and reaped seconds and core, by `p` and the number."""
    processes = {int(name[1:]): (0, Process(*facts)) for name, facts in ours.items()}
    return Moment(at_s, busy_s, processes)


def test_others_are_what_is_busy_beside_our_own() -> None:
    """A process that ends between two looks is ours to its last moment, and not counted twice where its
    parent's parent waits for both."""
    before = moment(
        0, {0: 50.0, 1: 70.0}, p1=(0, 1, 0, 1), p2=(1, 5, 0, 0), p3=(2, 20, 4, 1), p4=(3, 7, 0, 1)
    )
    after = moment(1, {0: 51.0, 1: 70.9}, p1=(0, 1, 0, 1), p2=(1, 5.6, 31.5, 0))
    found = witness.between(before, after)
    assert found.by_core_s == pytest.approx({0: 1 - 0.6, 1: 0.9 - 0.5})
    new = moment(2, {0: 52.0, 1: 71.9}, p1=(0, 1, 0, 1), p2=(1, 5.6, 31.5, 0), p9=(2, 0.25, 0, 1))
    assert witness.between(after, new).by_core_s == pytest.approx({0: 1, 1: 0.75})


def test_the_share_of_a_window() -> None:
    """A second that is partly inside counts with that part; where nobody looked there is none."""
    seconds = (Foreign(0, 1, {0: 0.5, 1: 0.0}), Foreign(1, 2, {0: 1.0, 1: 0.0}), Foreign(2, 3, {0: -0.01}))
    assert witness.ratio(seconds, {0}, 0.5, 2) == pytest.approx((0.25 + 1) / 1.5)
    assert witness.ratio(seconds, {0, 1}, 1, 2) == pytest.approx(0.5)
    assert witness.ratio(seconds, {0}, 2, 3) == 0
    assert witness.ratio(seconds, {0}, 7, 9) is None
    assert witness.ratio(seconds, (), 0, 1) is None


def test_our_own_work_is_not_others() -> None:
    """Of this very process, which is busy meanwhile: its time is taken off."""
    first = Moment.now()
    sum(i * i for i in range(2_000_000))
    second = Moment.now()
    seen = witness.between(first, second)
    assert seen.end_s > seen.start_s
    busy_s = sum(second.busy_s.values()) - sum(first.busy_s.values())
    assert sum(seen.by_core_s.values()) < busy_s


def test_a_run_is_kept_as_a_line(tmp_path: Path) -> None:
    """What it holds comes back; a line that was cut off is no run, and the next one is whole."""
    file = tmp_path / "evidence" / "runs.jsonl"
    assert lines.read(file) == []
    lines.append(RUN, file)
    with file.open("a") as torn:
        torn.write('{"commit": "01')
    assert lines.read(file) == [RUN]
    lines.append(busy("ma8-q100", CELL), file)
    assert lines.read(file) == [RUN, busy("ma8-q100", CELL)]


def test_settings_of_runs_have_one_name() -> None:
    """A timeout that came from a probe is another number in each run."""
    run = from_folder.read(EXAMPLES / "vllm-cpu" / "run.json")
    cells = list(from_folder.measurements(EXAMPLES / "vllm-cpu"))
    found = {Names.of_run(run).name(cell.summary["setting"]) for cell in cells}
    assert found == {f"ma{slots}-{mode}" for slots in (2, 8, 16) for mode in ("q100", "reject")}
    assert len(cells) == 12
    standard = EXAMPLES / "vllm-cpu-standard"
    several = Names.of_run(from_folder.read(standard / "run.json"))
    cells = list(from_folder.measurements(standard))
    assert len(cells) == 48, "without the sentinels"
    assert {several.name(cell.summary["setting"]) for cell in cells} >= {"ma2-q100-t1", "ma4-q100-t2"}


@pytest.mark.parametrize(
    ("speed", "value"),
    [({"over_window": {"index": 1.2, "low": 1.1}}, 1.2), ({"over_window": None}, None), (None, None)],
)
def test_the_index_as_versions_have_it(speed: object, value: float | None) -> None:
    """Over the window; none without a verdict, and in versions without an index."""
    assert from_folder.index({"speed": speed}) == value


def test_a_cell_that_was_measured_again_has_two_lines(tmp_path: Path) -> None:
    """What was set aside is kept with what the run said of it; a cell that was cut short is none."""
    for folder, codes in {"cells/a": [], "aborted/a.1": ["disturbed"], "cells/.b.partial": []}.items():
        (tmp_path / folder).mkdir(parents=True)
        summary = {"setting": {"max_active": 2}, "doubts": [{"code": code} for code in codes]}
        (tmp_path / folder / "summary.json").write_text(json.dumps(summary))
    found = list(from_folder.measurements(tmp_path))
    assert [(cell.id, cell.kept) for cell in found] == [("a", True), ("a", False)]
    assert [from_folder.is_flagged(cell.summary) for cell in found] == [False, True]


def test_the_quiet_runs_answer() -> None:
    """What most recommend, and what half of them cannot tell from theirs; a quiet run is judged by others."""
    runs = [quiet("a", "b"), quiet("a", "b", "c"), quiet("b"), quiet("a")]
    assert accepted(runs) == {"a", "b"}
    assert [agrees(run, runs) for run in runs] == [True, True, True, True]
    assert agrees(busy("b"), runs)
    assert not agrees(busy("c"), runs)
    assert not agrees(busy(None), runs)
    alone = quiet("x")
    assert not agrees(alone, [alone, quiet("a")])


def test_the_figures_of_a_condition() -> None:
    """Hit cells are flagged or harmless, others should not be flagged, times are over the quiet median."""
    hit = replace(CELL, planted_ratio=0.5)
    runs = [quiet(wall_s=200), quiet(wall_s=300), quiet(wall_s=100)]
    noisy = replace(quiet("other"), foreign_engine_ratio=0.2)
    bad = replace(hit, attainment=0.5)
    crowded = replace(busy("other", bad), foreign_harness_ratio=0.2)
    made = [
        crowded,
        busy("ma16-q100", hit, bad, replace(bad, flagged=True), replace(bad, doubts=("others_busy",)), CELL),
        busy("ma2-q100", wall_s=400.0),
    ]
    found = figures(Condition.ENGINE_BUSY, [*runs, noisy, crowded, *made])
    assert (found.runs, found.agree.k, found.agree.n) == (2, 1, 2)
    assert (found.hit.k, found.hit.n) == (3, 4)
    assert (found.flagged.k, found.flagged.n) == (0, 1)
    assert found.time_ratio == (1.5, 2.0)
    of_quiet = figures(Condition.QUIET, [*runs, noisy, *made])
    assert (of_quiet.runs, of_quiet.agree.k) == (3, 3)
    assert not is_harmless(replace(hit, load="burst@1.2x"), runs), "nobody knows"


def test_the_table_says_what_was_found() -> None:
    """Every run has a row; the one that was not quiet is there and does not count."""
    noisy = replace(quiet("other"), foreign_engine_ratio=0.2, changed=True)
    text = table.markdown([quiet(), quiet(), noisy, busy("ma2-q100", replace(CELL, planted_ratio=0.5))])
    rows = text.splitlines()
    assert any(row.startswith("| `quiet` | 2 | 2 of 2 (34%–100%)") for row in rows)
    assert any(
        row.startswith("| `engine-busy` | 1 | 0 of 1 (0%–79%) | 1 of 1 (21%–100%) | –") for row in rows
    )
    assert any("quiet, and others" in row and "`012345678`+" in row and "20.0%, 2.0%" in row for row in rows)
    assert any("**no**" in row and "`ma2-q100`" in row for row in rows)
    assert table.markdown([]).startswith("No runs yet")


def test_what_is_missing_comes_next() -> None:
    """The condition that lacks the largest part; runs that were not left alone do not count."""
    wanted = parse_wanted("quiet=2,engine-busy=1")
    noisy = replace(quiet(), foreign_harness_ratio=None)
    made: list[RunLine] = []
    order = []
    for run in (noisy, quiet(), busy("a"), quiet()):
        order.append(next_condition(wanted, made))
        made.append(run)
    assert order == [Condition.QUIET, Condition.QUIET, Condition.ENGINE_BUSY, Condition.QUIET]
    assert next_condition(wanted, made) is None
    with pytest.raises(UserError, match="write CONDITION=N"):
        parse_wanted("quite=2")


def test_a_run_on_the_emulator_from_start_to_line(tmp_path: Path) -> None:
    """The planted work ends with the run, and the line has what the runner and the run saw."""
    order = Order(Condition.ENGINE_BUSY, STARTS_SOON, tmp_path / "run", flags=ON_THE_EMULATOR)
    run = play(order)
    assert (run.exit_code, run.recommended, run.condition) == (0, "ma2-reject", Condition.ENGINE_BUSY)
    assert not any("busy_loop.py" in line for line in running_below(os.getpid()).values())
    (cell,) = [cell for cell in run.cells if cell.kept]
    assert (cell.setting, cell.load) == ("ma2-reject", "sustained@0.6x")
    assert 0 < cell.start_s < cell.end_s < run.wall_s
    stretches = conditions.schedule(order.condition, order.seed, 600.0)
    assert cell.planted_ratio == pytest.approx(planted_ratio(stretches, cell.start_s, cell.end_s), abs=0.05)
    assert cell.foreign_engine_ratio is not None
    assert cell.foreign_harness_ratio is not None


@pytest.mark.prove
def test_nothing_is_left_when_the_runner_is_killed(tmp_path: Path) -> None:
    """`kill -9` while the loop runs: it, the sweep and all of its stack end by themselves."""
    script = (
        "import sys; from pathlib import Path; from benchmarks.first_try.conditions import Condition; "
        "from benchmarks.first_try.one_run import Order, play; "
        f"play(Order(Condition.ENGINE_BUSY, {STARTS_SOON}, Path(sys.argv[1]), tuple(sys.argv[2:])))"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "run"), *ON_THE_EMULATOR]
    runner = subprocess.Popen(words, cwd=sweeping.ROOT, env=sweeping.environment())
    try:
        sweeping.wait_until(
            lambda: any("busy_loop.py" in line for line in running_below(runner.pid).values()),
            120,
            "the planted loop runs",
        )
        below = running_below(runner.pid)
    finally:
        runner.kill()
        runner.wait()
    assert len(below) > 4
    sweeping.wait_until(lambda: not any(one.is_running() for one in below), 90, "all of it has ended")


def running_below(pid: int) -> dict[psutil.Process, str]:
    """The processes below one, with their command lines."""
    found = {}
    for one in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[one] = " ".join(one.cmdline())
    return found


@pytest.mark.prove
def test_the_runs_that_are_kept_show_it() -> None:
    """The first answer is right, quiet or not; see the table in docs/engineering-insights.md."""
    runs = lines.read()
    found = {condition: figures(condition, runs) for condition in Condition}
    print(table.markdown(runs))
    wanted = {Condition.QUIET: 10, Condition.ENGINE_BUSY: 10, Condition.HARNESS_BUSY: 5}
    missing = [name for name, n in wanted.items() if found[name].runs < n]
    if missing:
        pytest.skip(f"python -m benchmarks.first_try has runs to make: {', '.join(missing)}")
    agree = [found[name].agree for name in wanted]
    assert sum(one.k for one in agree) >= 0.96 * sum(one.n for one in agree)
    assert all(found[name].hit.k == found[name].hit.n for name in wanted)
    assert found[Condition.QUIET].flagged.k <= 0.02 * found[Condition.QUIET].flagged.n
    assert all(most <= 1.7 for _, most in (one.time_ratio or (0.0, 0.0) for one in found.values()))
