"""The runs of lanes on a real engine: their tables and file; played on the emulator with `make prove`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lanes.real.__main__ import main
from benchmarks.lanes.real.lines import keep, read
from benchmarks.lanes.real.parts import PARTS
from benchmarks.lanes.real.windows import Window


def window(good: int, mean_s: float = 1.0, preemptions: float = 0.0) -> Window:
    """Of tenants of every part, alike."""
    names = ("a", "b", "people", "night")
    counts = dict.fromkeys(names, good)
    return Window(dict.fromkeys(names, 100), counts, counts, dict.fromkeys(names, mean_s), preemptions)


@pytest.mark.parametrize(
    ("part", "met", "missed"),
    [
        (
            "flood",
            {"alone": window(100), "beside": window(96)},
            {"alone": window(100), "beside": window(94)},
        ),
        (
            "priority",
            {"told": window(9, 2.0), "untold": window(9, 5.0)},
            {"told": window(9, 4.0), "untold": window(9, 5.0)},
        ),
        (
            "tokens",
            {"tokens": window(60), **dict.fromkeys(("4", "8", "16", "32"), window(50))},
            {"tokens": window(60, preemptions=1), **dict.fromkeys(("4", "8", "16", "32"), window(50))},
        ),
    ],
)
def test_blocks_are_kept_and_judged(
    part: str,
    met: dict[str, Window],
    missed: dict[str, Window],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A block is a line of the file; the table has all of them, and the exit code says whether the goal is
    met.
    """
    for code, windows in ((0, met), (1, missed)):
        file = tmp_path / f"{code}.jsonl"
        for _ in range(2):
            keep(file, part, "AN ENGINE", 30.0, 5.0, windows)
        assert [line.windows for line in read(file, part)] == [windows] * 2
        assert main([part, "--table", "--file", str(file)]) == code
        told = capsys.readouterr().out
        assert f"{part}, AN ENGINE, 2 blocks: the goal is {('met', 'MISSED')[code]}" in told
        assert len(read(file, next(name for name in PARTS if name != part))) == 0


@pytest.mark.prove
def test_a_flood_is_played(tmp_path: Path) -> None:
    """On the emulator, with a gateway in each window."""
    file = tmp_path / "blocks.jsonl"
    words = ["flood", "--engine", "emulator", "--blocks", "1", "--seconds", "5", "--file", str(file)]
    assert main(words) == 0
    (line,) = read(file, "flood")
    assert line.engine.startswith("EMULATOR")
    assert line.windows["beside"].offered["a"] > 10 * line.windows["beside"].offered["b"]


@pytest.mark.prove
def test_slots_in_tokens_are_played(tmp_path: Path) -> None:
    """A small cache: request slots preempt, tokens do not."""
    file = tmp_path / "blocks.jsonl"
    main(["tokens", "--engine", "emulator", "--blocks", "1", "--seconds", "5", "--file", str(file)])
    (line,) = read(file, "tokens")
    assert line.windows["tokens"].preemptions == 0
    assert line.windows["tokens"].answered["a"] > 0
