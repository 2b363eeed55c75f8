"""Which cells of a run were disturbed, from steps of an engine that is slow when it is told to be."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.speed.judge import SpeedVerdict, judge
from tests.experiments.speed.drawn_cells import drawn_cells


def test_a_quiet_run_has_an_index_of_one_and_no_disturbed_cell() -> None:
    run = judge(drawn_cells(lambda _: 1.0))
    assert [cell.verdict for cell in run.cells] == [SpeedVerdict.STEADY] * 12
    for cell in run.cells:
        assert cell.over_window is not None
        assert abs(cell.over_window.index - 1) < 0.02
        assert cell.over_window.low < 1 < cell.over_window.high
        assert (
            np.mean([low < 1 < high for low, high in zip(cell.seconds.low, cell.seconds.high, strict=True)])
            > 0.9
        )


def test_the_slow_seconds_of_a_cell_are_told_with_their_size() -> None:
    """Eight seconds in the third cell, 1.5 times slower: that cell alone, and it says so."""
    run = judge(drawn_cells(lambda t_s: 1.5 if 56 <= t_s < 64 else 1.0))
    assert [cell.id for cell in run.disturbed] == ["c2"]
    found = run["c2"]
    assert found.slow_share == pytest.approx(0.4, abs=0.06)
    assert found.slow_by == pytest.approx(1.5, abs=0.05)
    assert found.size.startswith("the engine was 1")
    t_s, index = np.array(found.seconds.t_s), np.array(found.seconds.index)
    assert np.all(index[(t_s > 7) & (t_s < 13)] > 1.4)
    assert np.all(index[(t_s < 5) | (t_s > 15)] < 1.1)


def test_slow_drift_is_no_disturbance_but_is_told() -> None:
    run = judge(drawn_cells(lambda t_s: 1 + 0.15 * t_s / 300))
    assert run.disturbed == ()
    assert 0.10 < run.drift < 0.18
    indices = [cell.index for cell in run.cells if cell.index is not None]
    assert indices[-1] / indices[0] > 1.08


def test_a_third_of_the_run_may_be_disturbed_and_the_rest_is_still_the_measure() -> None:
    """35 % of the time two times slower, in stretches of 20 s."""
    hit = {1, 4, 6, 9}
    run = judge(drawn_cells(lambda t_s: 2.0 if int(t_s // 25) in hit else 1.0))
    assert {cell.id for cell in run.disturbed} == {f"c{k}" for k in hit}
    assert 0.3 < run.slow_share < 0.4


def test_few_steps_give_no_verdict() -> None:
    assert {cell.verdict for cell in judge(drawn_cells(lambda _: 1.0, cells=1)).cells} == {
        SpeedVerdict.UNKNOWN
    }
    assert judge([]).cells == ()
