"""Where the wall time of a sweep went, read from its journal."""

import pytest

from experiments.run_folder.timeline import Timeline, wall_time


def _done(begin_s: float, drained_s: float = 0.5) -> dict[str, object]:
    stamps = Timeline(begin_s, begin_s + 2.0, begin_s + 9.0, begin_s + 9.0 + drained_s)
    return {"event": "cell_done", "cell": f"c{begin_s:g}", **stamps.to_json()}


def test_the_share_of_the_windows_leaves_warm_up_and_drain_aside() -> None:
    """Three windows of 7 s, two gaps of 0.5 and 1.5 s: 21 of 23 seconds."""
    found = wall_time([{"event": "stack_ready"}, _done(100.0), _done(110.0), _done(121.0)])
    assert found.between_s == pytest.approx((0.5, 1.5))
    assert found.cells == 3
    assert found.measure_s == pytest.approx(21.0)
    assert found.measured_ratio == pytest.approx(21 / 23)


def test_a_gap_that_holds_a_resume_or_a_failure_is_no_gap_between_cells() -> None:
    """An hour between kill and resume says nothing about the switch of limits."""
    events: list[dict[str, object]] = [_done(100.0), {"event": "stack_ready"}, _done(4000.0)]
    events += [{"event": "cell_failed"}, _done(5000.0)]
    assert wall_time(events).between_s == ()


def test_a_journal_without_times_has_no_share() -> None:
    """Runs of an earlier version, and runs without a finished cell."""
    found = wall_time([{"event": "cell_done", "cell": "a"}])
    assert (found.cells, found.measured_ratio) == (0, 0.0)
    assert found.to_json()["between_s"]["median"] is None
