"""The draws: how often their intervals hold the truth, and what common arrivals and one run for two do."""

from dataclasses import replace

import numpy as np

from experiments.design.cells import Cell
from experiments.racing.judged_stretch import JudgedStretch
from experiments.racing.posterior import LoadPosterior, spans
from experiments.stats.goodput import Trace
from experiments.twin.footprint import Footprint
from tests.experiments.racing.drawn import HEAVY, WINDOW_S, setting, stretch

A, B = setting(8), setting(16)
GOOD = (0.85, 0.75)


def drawn(rng: np.random.Generator, block: int) -> list[JudgedStretch]:
    """Both settings on one trace of Poisson arrivals, with the same luck but for the part that is a
    setting's own."""
    due_s = np.sort(rng.uniform(0, WINDOW_S, rng.poisson(12.0 * WINDOW_S)))
    luck = rng.random(len(due_s))
    return [
        JudgedStretch(Cell(one, HEAVY, block), Trace(due_s, luck < good, WINDOW_S), 0.0)
        for one, good in zip((A, B), GOOD, strict=True)
    ]


def test_the_ratios_interval_holds_the_true_ratio() -> None:
    """200 races of four traces: 95 % intervals that held the truth in fewer than nine of ten would claim
    what is not so, in all of them would never claim anything."""
    rng, held, widths = np.random.default_rng(5), 0, []
    for _ in range(200):
        found = LoadPosterior((A, B), HEAVY, [s for block in range(4) for s in drawn(rng, block)])
        values = found.draws(400, rng)
        low, high = np.quantile(values[:, 1] / values[:, 0], [0.025, 0.975])
        held += low <= GOOD[1] / GOOD[0] <= high
        widths.append(high - low)
    assert held >= 180
    assert np.mean(widths) < 0.1


def test_what_the_arrivals_do_to_both_cancels() -> None:
    """Either goodput is known to 4 %, their ratio far better."""
    rng = np.random.default_rng(6)
    values = LoadPosterior((A, B), HEAVY, [s for b in range(2) for s in drawn(rng, b)]).draws(1000, rng)
    ratio = values[:, 1] / values[:, 0]
    assert ratio.std() / ratio.mean() < 0.8 * values[:, 0].std() / values[:, 0].mean()


def test_settings_for_which_one_run_stands_are_equal_in_every_draw() -> None:
    """Drawn apart, each would seem better than the other half of the time."""
    unused = Footprint(B.limits, 5, 0, refused=False, expired=False, longest_wait_s=0.0)
    one = replace(stretch(Cell(B, HEAVY, 0), 0.8, unused), elasticity=3.0)
    found = LoadPosterior((A, B), HEAVY, [one])
    values = found.draws(100, np.random.default_rng(1))
    assert found.counts.tolist() == [1, 1]
    assert np.array_equal(values[:, 0], values[:, 1])


def test_a_steep_setting_is_known_less_well() -> None:
    """A setting whose goodput falls by 5 % when the engine is 1 % slower."""
    rng = np.random.default_rng(2)
    flat = [s for block in range(4) for s in drawn(rng, block)]
    steep = [replace(s, elasticity=5.0) if s.cell.setting == B else s for s in flat]
    spread = []
    for stretches in (flat, steep):
        values = LoadPosterior((A, B), HEAVY, stretches).draws(1000, np.random.default_rng(3))
        spread.append(float(np.log(values[:, 1] / values[:, 0]).std()))
    assert spread[1] > 1.2 * spread[0]


def test_what_served_nothing_may_yet_serve_something() -> None:
    """A goodput of zero in 40 s is no proof of one of zero."""
    none = stretch(Cell(A, HEAVY, 0), 0.0)
    values = LoadPosterior((A,), HEAVY, [none]).draws(1000, np.random.default_rng(4))
    assert values.min() >= 0.0
    assert 0.0 < values.mean() < 1 / WINDOW_S


def test_every_good_request_is_in_one_span() -> None:
    """The last one too, which is due at the window's very end."""
    trace = Trace(np.array([0.0, 6.5, WINDOW_S]), np.array([True, False, True]), WINDOW_S)
    assert spans(JudgedStretch(Cell(A, HEAVY, 0), trace, 0.0)).tolist() == [1, 0, 0, 0, 0, 1]
