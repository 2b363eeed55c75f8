"""From the folders of two sides to verdict, exit code and page: blocks served by the simulated truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from experiments.cli import live_args
from experiments.cli.progress import SweepProgress
from experiments.decide.live_verdict import judge, read_blocks
from experiments.design.pair_order import Side, order_of
from experiments.errors import UserError
from experiments.jobs.live import LiveBook, Stopping
from experiments.measure.live_blocks import LivePair
from experiments.run_folder.block_metric import BlockMetric
from experiments.run_folder.folder import RunDir
from experiments.run_folder.live_run import LiveOutcome, LiveRun, LiveWay, read_live
from experiments.run_folder.reading import objective_of
from reports.__main__ import main as reports_main
from tests.experiments.runs_on_disk import SETTINGS, Recipe, changed, write
from tests.reports import reading

BASE = Recipe(blocks=5, settings=SETTINGS[1:], loads=(14.0,), run_sd=0.005)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five blocks of a side and of one that is 12 % slower."""
    root = tmp_path_factory.mktemp("live")
    write(root / "a", BASE)
    write(root / "b", changed(BASE, run_seed=2, speed=0.88))
    return root


def _run(metric: BlockMetric = BlockMetric.GOODPUT, looks: tuple[int, ...] = (3, 5)) -> LiveRun:
    return LiveRun("", ("headroom",), "as-is", "as-is", LiveWay.AT_ONCE, metric, 0.03, 1, 5, looks)


def test_a_slower_side_is_worse_by_each_metric_and_its_direction(folder: Path) -> None:
    """Goodput falls, latencies rise; both are worse, and swapped they are better."""
    blocks = read_blocks(folder, _run(), objective_of(folder / "a"))
    assert [block.number for block in blocks] == list(range(5))
    assert [block.first for block in blocks] == [order_of(1, number)[0] for number in range(5)]
    by_goodput = judge(_run(), blocks, (3, 5))
    assert by_goodput.outcome is LiveOutcome.WORSE
    assert by_goodput.said.startswith("worse: goodput −")
    assert " ± " in by_goodput.said
    by_tpot = judge(_run(BlockMetric.TPOT_P95), blocks, (3, 5))
    assert by_tpot.outcome is LiveOutcome.WORSE
    assert by_tpot.changes[BlockMetric.TPOT_P95].difference > 0
    # What is shown beside it is wider than where it decides.
    shown, decides = by_goodput.changes[BlockMetric.TPOT_P95], by_tpot.changes[BlockMetric.TPOT_P95]
    assert shown.relative_low is not None
    assert decides.relative_low is not None
    assert shown.relative_low < decides.relative_low


def test_the_same_thing_twice_is_equal_or_cannot_be_told(tmp_path: Path) -> None:
    write(tmp_path / "a", BASE)
    write(tmp_path / "b", changed(BASE, run_seed=2))
    blocks = read_blocks(tmp_path, _run(), objective_of(tmp_path / "a"))
    assert judge(_run(), blocks, (3, 5)).outcome in (LiveOutcome.EQUAL, LiveOutcome.CANT_TELL)


def test_blocks_on_other_arrivals_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "a", BASE)
    write(tmp_path / "b", changed(BASE, trace_seed=2))
    verdict = judge(_run(), read_blocks(tmp_path, _run(), objective_of(tmp_path / "a")), ())
    assert verdict.counted == ()
    assert "different arrivals" in verdict.blocks[0].invalid
    assert verdict.said.startswith("cannot tell: no block")


@pytest.fixture
def stopping(folder: Path, tmp_path: Path) -> Iterator[Stopping]:
    """Of a comparison that has the folder's blocks, planned for five."""
    options = live_args.parse(
        ["--live", "max_active=8", "max_active=9", "--out", str(tmp_path / "c"), "--engine", "emulator",
         "--blocks", "5"],
        "compare",
    )  # fmt: skip
    book = LiveBook.open(options)
    for side in Side:
        (book.folder / side).symlink_to(folder / side)
    with ExitStack() as stack:
        locks = {side: stack.enter_context((tmp_path / f"lock-{side}").open("w")) for side in Side}
        runs = {side: RunDir(book.folder / side, locks[side]) for side in Side}
        pair = LivePair({}, runs, options.way, 1, SweepProgress(quiet=True))
        yield Stopping(book, pair, options, lambda: 0.0)


def test_it_ends_with_a_verdict_at_a_look_and_remembers_the_look(stopping: Stopping) -> None:
    assert stopping.next_block() is None
    kept = read_live(stopping.book.folder)
    assert kept.looks == (5,)
    assert kept.result is not None
    assert kept.result.outcome is LiveOutcome.WORSE
    assert kept.result.blocks == 5


def test_a_folder_of_another_comparison_is_refused(stopping: Stopping) -> None:
    options = live_args.parse(
        ["--live", "max_active=8", "max_active=10", "--out", str(stopping.book.folder), "--engine",
         "emulator"],
        "compare",
    )  # fmt: skip
    with pytest.raises(UserError, match=r"another b \(max_active=9\)"):
        LiveBook.open(options)


def test_the_page_says_verdict_metrics_and_blocks(
    stopping: Stopping, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping.next_block()
    assert reports_main(["live", str(stopping.book.folder)]) == 0
    page = reading.read((stopping.book.folder / "live.html").read_text())
    assert "B against A: worse: goodput −" in page.text
    assert "TTFT p95" in page.text
    assert "looked at after 5 blocks" in page.text
    assert reports_main(["live", str(stopping.book.folder.parent)]) == 2
    assert "holds no live comparison" in capsys.readouterr().err
