"""Whose CPU time it is: real programs that keep a real core busy."""

from __future__ import annotations

import os
import sys
import time

import pytest

from experiments.observe.witness.account import Watched
from experiments.observe.witness.own_time import OwnTime
from experiments.observe.witness.process_table import Descendants
from experiments.observe.witness.readings import ENGINE, HARNESS, MachineReading, Reader, Subject, others
from experiments.stack.cores import usable
from tests.experiments import sweeping
from tests.experiments.observe.witness import busy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is read is the Linux kernel's")

USED_S = 0.6
CORE = usable()[0] if usable() else 0
ON, BESIDE = frozenset({CORE}), frozenset({10_000})


def watched(root: int) -> Reader:
    return Reader(
        Subject((root,), all_known=True, engine=None, cores={ENGINE: ON, HARNESS: ON}), None, frozenset()
    )


def grown_s(before: MachineReading, after: MachineReading) -> float:
    """CPU seconds of others on the core between two readings."""
    return after.counters[others(ENGINE)] - before.counters[others(ENGINE)]


def test_a_program_that_is_no_part_of_the_stack_is_others_work() -> None:
    """What it has used, give or take the kernel's sampling; other programs of this machine add to it. The
    same program is no other's when the stack has started it."""
    with busy.running(CORE, USED_S) as stranger, busy.running(CORE, 0.0) as stack:
        apart, ours = watched(stack.pid), watched(stranger.pid)
        seen = [(apart.read(), ours.read())]
        stranger.go_on()
        stranger.wait_used()
        seen.append((apart.read(), ours.read()))
    (apart_before, ours_before), (apart_after, ours_after) = seen
    as_strangers_s, as_ours_s = grown_s(apart_before, apart_after), grown_s(ours_before, ours_after)
    # Between one's reading and the other's the core may have worked for others.
    between_s = sum(abs(one.unix_s - other.unix_s) for one, other in seen)
    assert as_strangers_s >= 0.5 * USED_S
    assert as_strangers_s - as_ours_s == pytest.approx(USED_S, abs=0.15 + between_s)


def test_the_share_is_that_of_the_window() -> None:
    """0.6 s of a core in so many seconds: the account of the readings says that share, or more."""
    with busy.running(CORE, USED_S) as stranger, busy.running(CORE, 0.0) as stack:
        reader = watched(stack.pid)
        first = reader.read()
        stranger.go_on()
        stranger.wait_used()
        last = reader.read()
    passed_s = last.unix_s - first.unix_s
    account = Watched((first, last), {ENGINE: ON, HARNESS: ON}).witness(first.unix_s, last.unix_s)
    assert account is not None
    assert account.engine_cores is not None
    assert account.engine_cores.cores == (CORE,)
    assert account.engine_cores.others_ratio is not None
    assert 0.5 * USED_S / passed_s <= account.engine_cores.others_ratio <= 1.0
    assert account.engine_cores.others_ratio <= account.engine_cores.busy_ratio + 0.05


@pytest.mark.parametrize("nested", [False, True], ids=["itself", "a child that has ended since"])
def test_what_children_used_is_own_time(nested: bool) -> None:
    """Also that of one which no look has seen: its parent tells when it has waited for it. It was used where
    the program may run, and nowhere else."""
    with busy.running(CORE, USED_S, nested=nested) as stack:
        own = OwnTime((stack.pid,), (ON, BESIDE), unseen_on=ON)
        stack.go_on(2 if nested else 1)
        stack.wait_used()
        used_s, elsewhere_s = own.used_s()
    assert used_s == pytest.approx(USED_S, abs=0.2)
    assert elsewhere_s == 0.0


def test_a_child_that_was_seen_counts_once() -> None:
    """Its parent's counter grows by the whole of its time when it ends."""
    with busy.running(CORE, USED_S, nested=True) as stack:
        own, tree = OwnTime((stack.pid,), (ON,), unseen_on=ON), Descendants((stack.pid,))
        stack.go_on()
        sweeping.wait_until(lambda: own.used_s()[0] > 0.8 * USED_S, 60, "the child has done its work")
        assert len(tree.now()) == 2
        stack.go_on()
        stack.wait_used()
        (used_s,) = own.used_s()
        assert set(tree.now()) == {stack.pid}
    assert used_s == pytest.approx(USED_S, abs=0.2)


def test_threads_are_counted_where_they_ran() -> None:
    """A program that may run on every core, such as the sweep's own, has none of them to itself."""
    if len(usable()) < 2:
        pytest.skip("one core has no other")
    elsewhere = frozenset(usable()[1:])
    own = OwnTime((os.getpid(),), (ON, elsewhere), unseen_on=elsewhere)
    begun_s = time.process_time()
    while time.process_time() < begun_s + 0.3:
        pass
    used_s = own.used_s()
    assert sum(used_s) == pytest.approx(0.3, abs=0.1)


def test_strangers_are_not_descendants() -> None:
    """Neither a sibling nor the parent; a root that has ended has no descendants."""
    with busy.running(CORE, 0.0) as one, busy.running(CORE, 0.0) as two:
        tree = Descendants((one.pid,))
        assert set(tree.now()) == {one.pid}
        assert set(tree.now()) == {one.pid}
        assert set(Descendants((os.getpid(),)).now()) >= {os.getpid(), one.pid, two.pid}
    assert tree.now() == {}
