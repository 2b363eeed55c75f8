"""Saving one cell while the next is under way."""

import os
import threading

import pytest

from experiments.design.cells import Cell
from experiments.errors import EnvironmentProblem
from experiments.measure.saving import BackgroundSaver
from experiments.run_folder.cell_summary import CellSummary
from experiments.spec.loads import parse_load
from experiments.spec.setting import Setting
from gateway.limits import Limits
from tests.experiments import plain

SETTING = Setting(Limits(max_active=2, queue_max=10, queue_timeout_s=1.0, request_timeout_s=60.0))
CELLS = [Cell(SETTING, parse_load(f"sustained@{rate}", ("sustained",)), 0) for rate in (1, 2, 3)]


def test_results_come_in_order_and_a_failure_is_one_of_them() -> None:
    """The cell after a failed one is saved all the same."""

    def fail() -> CellSummary:
        raise EnvironmentProblem("Prometheus is gone")

    with BackgroundSaver(None) as saver:
        saver.put(CELLS[0], lambda: plain.summary("0"))
        saver.put(CELLS[1], fail)
        saver.put(CELLS[2], lambda: plain.summary("2"))
        found = list(saver.results())
        assert list(saver.results()) == []
    assert [cell for cell, _ in found] == CELLS
    assert (found[0][1], found[2][1]) == (plain.summary("0"), plain.summary("2"))
    assert isinstance(found[1][1], EnvironmentProblem)


def test_what_was_put_in_is_saved_when_the_sweep_is_stopped() -> None:
    """Ctrl-C in the warm-up of a cell must not cost the one before it."""
    go, saved = threading.Event(), []

    def save() -> CellSummary:
        go.wait(10)
        saved.append(1)
        return plain.summary("0")

    def stopped() -> None:
        with BackgroundSaver(None) as saver:
            saver.put(CELLS[0], save)
            threading.Timer(0.1, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert saved == [1]


def test_saving_steps_back_alone() -> None:
    """The lowest priority for the saving thread; the thread that drives the sweep keeps its own."""
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    seen = []

    def save() -> CellSummary:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return plain.summary("0")

    with BackgroundSaver(os.sched_getaffinity(0)) as saver:
        saver.put(CELLS[0], save)
        [(_, found)] = list(saver.results())
    assert found == plain.summary("0")
    assert seen == [19]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
