"""The loads that nobody named: from the probe, kept with the run, moved where they tell nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from experiments.racing.own_loads import Attainments, moved_after_a_look, to_look_at, with_loads
from experiments.spec.load_section import LoadSection
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from gateway.limits import Limits, QueueMode
from loadtests.slo import SLO
from tests.experiments.design.test_default_loads import PROBE

TARGET = SLO(ttft_s=1.0, attainment=0.95)
LOADS = ("sustained@0.6x", "burst@1.2x")


def looking(
    shares: Mapping[str, tuple[float, ...]], seen: list[tuple[str, int]]
) -> Callable[..., Attainments]:
    """A look at settings one after the other, as far as it is enough."""

    def look(load: str, is_enough: Callable[[Attainments], bool]) -> Attainments:
        found: dict[str, float] = {}
        for number, share in enumerate(shares[load]):
            found[str(number)] = share
            if is_enough(found):
                break
        seen.append((load, len(found)))
        return found

    return look


@pytest.mark.parametrize(
    ("below", "above", "loads"),
    [
        ((0.99,), (0.7,), LOADS),
        ((0.5, 0.96), (0.99, 0.6), LOADS),
        ((0.5, 0.6, 0.7), (0.7,), ("sustained@0.3x", "burst@1.2x")),
        ((0.99,), (0.99, 0.98, 0.97), ("sustained@0.6x", "burst@1.8x")),
        ((), (), LOADS),
    ],
    ids=["both tell", "the second setting tells", "none meets it", "none misses it", "nothing valid"],
)
def test_a_load_moves_that_tells_nothing(
    below: tuple[float, ...], above: tuple[float, ...], loads: tuple[str, ...]
) -> None:
    """Half of the one, half as much again of the other."""
    shares = dict(zip(LOADS, (below, above), strict=True))
    assert moved_after_a_look(LOADS, TARGET, looking(shares, [])) == loads


def test_a_look_ends_as_soon_as_it_is_enough() -> None:
    """One setting that meets the one and one that misses the other."""
    seen: list[tuple[str, int]] = []
    shares = {LOADS[0]: (0.5, 0.96, 0.2), LOADS[1]: (0.2, 0.1, 0.1)}
    moved_after_a_look(LOADS, TARGET, looking(shares, seen))
    assert seen == [(LOADS[0], 2), (LOADS[1], 1)]


def test_only_loads_that_nobody_named_are_ours() -> None:
    """Those of the default are named where a user types them."""
    assert not LoadSection().are_named
    assert LoadSection(loads=LoadSection().loads).are_named
    assert not LoadSection(seed=3).are_named
    assert with_loads(SweepSpec(), LOADS).load.loads == LOADS


def test_the_slots_that_the_objective_allows_for_are_looked_at_first() -> None:
    """Of each number of slots the setting that lets most through."""
    settings = [
        *(Setting(Limits(max_active=active, queue_max=50, queue_timeout_s=1.0)) for active in (1, 4, 8, 32)),
        *(Setting(Limits(max_active=active, queue_mode=QueueMode.REJECT)) for active in (1, 4, 8, 32)),
    ]
    found = to_look_at(settings, SLO(tpot_s=0.025, attainment=0.95), PROBE)
    assert [setting.limits.max_active for setting in found] == [4, 8, 1]
    assert {setting.limits.queue_mode for setting in found} == {QueueMode.QUEUE}
