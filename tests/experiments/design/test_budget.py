"""A budget of time buys settings first, then blocks, then longer windows."""

from experiments.design import budget
from experiments.design.windows import Phases
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from gateway.limits import Limits

LOAD = Load("sustained", 5.0, None)
PHASES = {LOAD: Phases(warm_up_s=2.0, measure_s=10.0, drain_s=5.0)}
SETTINGS = tuple(Setting(Limits(max_active=n, queue_max=10, queue_timeout_s=1.0)) for n in (1, 2, 4, 8, 16))


def test_too_little_time_keeps_both_ends() -> None:
    """The ends of the axis say whether the answer lies inside it."""
    one_s = budget.expected_s(1, 1, PHASES)
    fitted = budget.fit(SETTINGS, 1, PHASES, 3.2 * one_s)
    assert [setting.limits.max_active for setting in fitted.settings] == [1, 4, 16]
    assert fitted.expected_s <= 3.2 * one_s


def test_spare_time_buys_fresh_traces_before_longer_windows() -> None:
    """Three traces say more than one long one: what a trace changes is larger than what a run does."""
    whole_s = budget.expected_s(5, 1, PHASES)
    assert budget.fit(SETTINGS, 1, PHASES, 3.1 * whole_s).blocks == 3
    long = budget.fit(SETTINGS, 1, PHASES, 20 * whole_s)
    assert long.blocks == 5
    assert long.phases[LOAD].measure_s > 20
    assert long.expected_s <= 20 * whole_s + 5


def test_without_a_budget_nothing_changes() -> None:
    """The matrix is what was asked for."""
    fitted = budget.fit(SETTINGS, 2, PHASES, None)
    assert (fitted.settings, fitted.blocks, fitted.phases) == (SETTINGS, 2, PHASES)
