"""Who gets which cores."""

from __future__ import annotations

import pytest

from experiments.errors import UserError
from experiments.stack import cores
from experiments.stack.cores import Cores


@pytest.mark.parametrize(
    ("asked", "engine_is_here", "available", "engine", "others"),
    [
        ("auto", True, (0, 1), {0}, {1}),
        ("auto", True, (2, 3, 5, 7, 8), {2, 3}, {5, 7, 8}),
        ("auto", True, (4,), None, None),
        ("auto", True, (), None, None),
        ("auto", False, (0, 1, 2, 3), None, None),
        ("", True, (0, 1, 2, 3), None, None),
        ("0", True, (0, 1, 2, 3), {0}, {1, 2, 3}),
        ("0-1,3", False, (0, 1, 2, 3), {0, 1, 3}, {2}),
        ("0-1", True, (0, 1), {0, 1}, None),
    ],
)
def test_engine_and_others_share_no_core(
    asked: str, engine_is_here: bool, available: tuple[int, ...], engine: set[int], others: set[int]
) -> None:
    """What is asked for is given; `auto` halves the cores where the engine computes on them; where nothing is
    left for the others they may use all."""
    given = cores.split(asked, engine_is_here=engine_is_here, available=available)
    assert given == Cores(frozenset(engine) if engine else None, frozenset(others) if others else None)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("first", "--engine-cpus 'first': write core numbers such as 0, 0-3 or 0,2"),
        ("0,9", "--engine-cpus 0,9: this process may use cores 0-1 only"),
    ],
)
def test_cores_that_are_none_are_the_users_mistake(asked: str, sentence: str) -> None:
    """One sentence with what is allowed."""
    with pytest.raises(UserError) as error:
        cores.split(asked, engine_is_here=True, available=(0, 1))
    assert str(error.value) == sentence


def test_what_is_usable_can_be_shared() -> None:
    """On the machine of this test, whatever it has."""
    given = cores.split("auto", engine_is_here=True)
    assert (given.engine or frozenset()) | (given.others or frozenset()) <= set(cores.usable())
