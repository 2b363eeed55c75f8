"""Who goes first in a block."""

from __future__ import annotations

from experiments.design.pair_order import Side, order_of


def test_every_two_blocks_have_both_orders_by_chance_and_a_begins() -> None:
    firsts = [order_of(7, block)[0] for block in range(200)]
    assert firsts[0] is Side.A
    assert all({a, b} == set(Side) for a, b in zip(firsts[::2], firsts[1::2], strict=True))
    begin_with_a = firsts[::2].count(Side.A)
    assert 30 < begin_with_a < 70
    assert [order_of(7, block)[0] for block in range(200)] == firsts
    assert [order_of(8, block)[0] for block in range(200)] != firsts
