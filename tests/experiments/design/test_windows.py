"""How long the phases of a cell last."""

from dataclasses import replace

import pytest

from experiments.design.probe import ASSUMED
from experiments.design.windows import longest_life_s, phases
from experiments.spec.sweep_spec import WindowSection

SLOW = replace(ASSUMED, steps=((4, 6.0), (8, 10.0), (16, 12.5), (32, 14.0)), e2e_at_capacity_s=2.28)
"""An engine that needs 32 in flight for its capacity."""


def test_slots_that_keep_requests_out_of_a_full_batch_shorten_the_windows() -> None:
    """Sixteen slots never see the batch of 32 that capacity takes, nor how long a request is in it."""
    narrow, wide = (phases(WindowSection(), 20.0, longest_life_s(SLOW, n, 0.05), 0.05) for n in (16, 32))
    assert longest_life_s(SLOW, 16, 0.05) == pytest.approx(1.33)
    assert (narrow.warm_up_s, narrow.measure_s) == (3.3, 7.0)
    assert (wide.warm_up_s, wide.measure_s) == (5.7, 11.4)


def test_a_wait_for_a_slot_is_part_of_a_life() -> None:
    """A queue fills for as long as its first request waits; beyond capacity nothing lasts longer."""
    assert longest_life_s(SLOW, 16, 0.5) == pytest.approx(1.78)
    assert longest_life_s(SLOW, 16, 60.0) == 2.28
