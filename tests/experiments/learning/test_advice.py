"""Which setting is chosen from predicted goodputs, and when nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.learning.advice import AdviceVerdict, advise
from experiments.learning.effects import MEASURES, Effects
from experiments.learning.lasting import SCALES, Growth, _end
from experiments.spec.setting import Setting
from gateway.limits import Limits

DRAWS = 20
NOW, MORE, MOST = (Setting(Limits(max_active=n)) for n in (8, 12, 64))


def _effects(*goodput: list[float], busy: tuple[float, ...] = (8, 12, 64)) -> Effects:
    runs = {name: np.array(goodput) for name in MEASURES}
    return Effects((NOW, MORE, MOST), runs, {}, np.array(busy))


def _even(value: float) -> list[float]:
    return [value] * DRAWS


def test_what_is_no_better_is_not_advised() -> None:
    """Within three per cent what is in force stays."""
    said = advise(_effects(_even(5.0), _even(5.1), _even(4.0)), NOW, seen=8)
    assert (said.verdict, said.chosen) == (AdviceVerdict.KEEP, NOW)


def test_a_better_one_is_advised_with_what_it_gains() -> None:
    said = advise(_effects(_even(5.0), _even(6.0), _even(4.0)), NOW, seen=8)
    assert (said.verdict, said.chosen) == (AdviceVerdict.CHANGE, MORE)
    assert said.gain == pytest.approx(0.2)


def test_one_that_may_be_worse_is_not() -> None:
    """Better on average, and on three engines of twenty a tenth worse."""
    risky = [7.0] * 17 + [4.5] * 3
    said = advise(_effects(_even(5.0), risky, _even(1.0)), NOW, seen=8)
    assert said.chosen == NOW
    assert said.verdict is AdviceVerdict.NOT_ENOUGH
    assert "one in ten would lose" in said.why


def test_far_beyond_what_was_seen_nothing_is_known() -> None:
    """A setting that needs eight times the batch is neither advised nor ruled out: the step before it is
    named."""
    said = advise(_effects(_even(5.0), _even(6.0), _even(9.0)), NOW, seen=8)
    assert (said.verdict, said.chosen) == (AdviceVerdict.NOT_ENOUGH, MORE)
    assert "MAX_ACTIVE=64 may be better still" in said.why
    assert said.beyond == (MOST,)


def test_growth_is_compound() -> None:
    """3 % a week doubles in 23.4 weeks."""
    assert Growth.parse("3%/week").days_until(2.0) == pytest.approx(7 * np.log(2) / np.log(1.03))
    assert Growth.parse("10 % / month").days_until(1.0) == 0.0


@pytest.mark.parametrize("text", ["3", "3%", "-3%/week", "0%/week", "3%/fortnight"])
def test_what_is_no_growth_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"write such as 3%/week"):
        Growth.parse(text)


def test_the_end_lies_where_the_objective_is_passed() -> None:
    """Between two scales on a line; noise that rises again does not count."""
    shares = np.interp(SCALES, [1.0, 2.0, 4.0], [1.0, 0.96, 0.5])
    assert 2.0 < _end(shares, 0.95) < 2.5
    shares[-1] = 1.0
    assert _end(shares, 0.95) < 2.5
    assert _end(np.full(len(SCALES), 0.5), 0.95) == 0.0
    assert _end(np.full(len(SCALES), 0.99), 0.95) == np.inf
