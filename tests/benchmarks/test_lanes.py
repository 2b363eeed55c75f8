"""What lanes promise to tenants, in virtual time: shares by tokens, and a neighbour's flood."""

import pytest

from benchmarks.lanes import flood, shares, token_slots
from benchmarks.lanes.__main__ import GAIN, JAIN, KEPT, TOTAL
from experiments.twin.simulate import Player

SEEDS = (1, 2, 3)
MANY = pytest.param(tuple(range(1, 21)), marks=pytest.mark.prove)


def test_jains_index() -> None:
    """Equal parts give 1, one who has all gives 1/n."""
    assert shares.jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert shares.jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


@pytest.mark.parametrize("seeds", [SEEDS, MANY], ids=["few", "many"])
def test_tenants_that_always_wait_share_by_tokens(seeds: tuple[int, ...]) -> None:
    """Lengths 1 : 10, weights 1 : 2 : 4: in every minute within 5 % of the share, or one largest request per
    slot. Round robin by requests, on the same requests, is not.
    """
    for seed in seeds:
        by_tokens, by_request = shares.run(seed), shares.run(seed, by_request=True)
        assert by_tokens.worst_of_allowed <= 1
        assert by_tokens.least_jain >= JAIN
        assert by_request.worst_of_allowed > 1
        assert by_request.least_jain < 0.8


@pytest.mark.parametrize("seeds", [SEEDS[:1], MANY], ids=["few", "many"])
def test_a_flood_leaves_the_neighbour_alone(seeds: tuple[int, ...]) -> None:
    """A offers 10 × capacity, B 0.35 ×: B keeps 95 % of what it has alone, both together 99 % of FIFO's."""
    player = Player()
    found = [flood.run(seed, player) for seed in seeds]
    assert sum(each.kept for each in found) / len(found) >= KEPT
    assert sum(each.kept_fifo for each in found) / len(found) < 0.5
    if len(seeds) > 1:  # of one trace the last requests, good or late, are 2 %
        assert sum(each.total for each in found) / len(found) >= TOTAL


@pytest.mark.prove
def test_slots_in_tokens_beat_any_number_of_slots() -> None:
    """Nine short requests for a long one: no preemption, a fifth more goodput than the best MAX_ACTIVE."""
    seen = token_slots.run(token_slots.MIXED, 3, Player())
    assert seen.gain >= GAIN
    assert (seen.tokens_preempt, seen.as_many_preempt > 0) == (0, True)
