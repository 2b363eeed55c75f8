"""Each arrival process sends what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from loadtests.planning import arrivals
from loadtests.planning import plan as plans
from loadtests.planning.scenarios import SCENARIOS, Scenario, Shape, due_times, peak_rate_per_s

RATE, LENGTH_S = 20.0, 2000.0
OPEN = [
    name
    for name, scenario in SCENARIOS.items()
    if scenario.loop == "open" and name not in ("trace", "recorded")
]


def times(scenario: str, seed: int = 0, shape: Shape | None = None, length_s: float = LENGTH_S) -> np.ndarray:
    return due_times(scenario, RATE, 0.0, length_s, shape or Shape(), np.random.default_rng(seed))


def cv(gaps: np.ndarray) -> float:
    return float(gaps.std() / gaps.mean())


def dispersion(t: np.ndarray, bin_s: float = 1.0, length_s: float = LENGTH_S) -> float:
    """Variance over mean of the counts per bin: 1 for Poisson."""
    counts = np.histogram(t, bins=int(length_s / bin_s), range=(0, length_s))[0]
    return float(counts.var() / counts.mean())


def lag_one(gaps: np.ndarray) -> float:
    return float(np.corrcoef(gaps[:-1], gaps[1:])[0, 1])


@pytest.mark.parametrize("scenario", OPEN)
def test_times_are_ascending_and_inside_the_window(scenario: str) -> None:
    """Nothing is due before the start or after the end, and order is kept."""
    t = times(scenario)
    assert (np.diff(t) >= 0).all()
    assert t[0] >= 0
    assert t[-1] < LENGTH_S


@pytest.mark.parametrize("scenario", OPEN)
def test_rate_is_the_mean_rate_whatever_the_shape(scenario: str) -> None:
    """`rate_per_s` is the mean over the window for every scenario, within 4 standard
    deviations of the count."""
    shape = Shape(cv=2.0)
    expected = RATE * LENGTH_S
    spread = 0.5 if scenario == "constant" else shape.cv * np.sqrt(expected)
    assert abs(len(times(scenario, shape=shape)) - expected) <= 4 * spread


def test_counts_are_unbiased_over_short_windows() -> None:
    """A bursty process started with a whole gap would be off by (cv² - 1)/2 arrivals in every window."""
    counts = [len(arrivals.gamma(50.0, 3.0, np.random.default_rng([7, seed]))) for seed in range(4000)]
    assert abs(np.mean(counts) - 50.0) < 4 * np.std(counts) / np.sqrt(len(counts))


@pytest.mark.parametrize("scenario", ["sustained", "soak"])
def test_sustained_is_poisson(scenario: str) -> None:
    """Exponential gaps by a KS test, CV 1, dispersion 1, no autocorrelation, no share of
    arrivals on a boundary."""
    t = times(scenario)
    gaps = np.diff(t)
    assert stats.kstest(gaps, "expon", args=(0, 1 / RATE)).pvalue > 0.01
    assert cv(gaps) == pytest.approx(1.0, abs=0.03)
    assert dispersion(t) == pytest.approx(1.0, abs=0.1)
    assert abs(lag_one(gaps)) < 4 / np.sqrt(len(gaps))
    assert np.mean(np.abs(t - np.rint(t)) < 1e-9) == 0


def test_constant_has_equal_gaps() -> None:
    """A constant process that draws exponential gaps is the fault this guards against."""
    gaps = np.diff(times("constant"))
    assert cv(gaps) < 1e-9
    assert gaps.mean() == pytest.approx(1 / RATE)


@pytest.mark.parametrize("wanted", [0.5, 2.0, 4.0])
def test_gamma_gaps_have_the_variation_asked_for(wanted: float) -> None:
    """Gamma gaps by a KS test, CV as asked, independent.

    At CV 4 a sixth of the gaps is below what the difference of two times can hold: no KS test there.
    """
    gaps = np.diff(times("gamma", shape=Shape(cv=wanted)))
    assert cv(gaps) == pytest.approx(wanted, rel=0.06)
    assert wanted > 2 or stats.kstest(gaps, "gamma", args=(1 / wanted**2, 0, wanted**2 / RATE)).pvalue > 0.01
    assert abs(lag_one(gaps)) < 5 / np.sqrt(len(gaps))


def test_burst_is_a_square_wave() -> None:
    """Inside a burst the rate is `factor` times the rate outside, and inside each level it is Poisson."""
    shape = Shape(factor=5.0, burst_s=5.0, period_s=20.0)
    t = times("burst", shape=shape)
    phase = t % shape.period_s
    inside = (phase >= 7.5) & (phase < 12.5)
    periods = LENGTH_S / shape.period_s
    high, low = inside.sum() / (5.0 * periods), (~inside).sum() / (15.0 * periods)
    assert high / low == pytest.approx(5.0, rel=0.05)
    assert dispersion(t) > 3
    counts = [((t >= k * 20 + 8) & (t < k * 20 + 12)).sum() for k in range(int(periods))]
    assert np.var(counts) / np.mean(counts) == pytest.approx(1.0, abs=0.6)


def test_spike_is_one_burst_in_the_middle() -> None:
    """One stretch of `burst_s` at `factor` times the rate around it."""
    shape = Shape(factor=10.0, burst_s=50.0, period_s=60.0)
    t = times("spike", shape=shape)
    middle = np.abs(t - LENGTH_S / 2) < 25.0
    assert (middle.sum() / 50.0) / ((~middle).sum() / (LENGTH_S - 50.0)) == pytest.approx(10.0, rel=0.1)


def test_ramp_rises_linearly() -> None:
    """Counts of ten equal parts lie on the line from (1 - swing) to (1 + swing) times the rate."""
    counts = np.histogram(times("ramp", shape=Shape(swing=0.8)), bins=10, range=(0, LENGTH_S))[0] / (
        LENGTH_S / 10
    )
    line = RATE * (1 - 0.8 + 1.6 * (np.arange(10) + 0.5) / 10)
    assert np.abs(counts - line).max() < 4 * np.sqrt(line.max() / (LENGTH_S / 10))


def test_step_is_a_staircase() -> None:
    """Each stair has its own level, flat inside."""
    counts = np.histogram(times("step", shape=Shape(swing=0.5, steps=5)), bins=10, range=(0, LENGTH_S))[0]
    rates = counts / (LENGTH_S / 10)
    assert rates[::2] == pytest.approx(RATE * np.linspace(0.5, 1.5, 5), rel=0.1)
    assert rates[1::2] == pytest.approx(rates[::2], rel=0.12)


def test_diurnal_follows_a_cosine() -> None:
    """Lowest at the start of a period, highest in its middle, by ± swing."""
    shape = Shape(swing=0.8, period_s=200.0)
    phase = times("diurnal", shape=shape) % 200.0
    counts = np.histogram(phase, bins=20, range=(0, 200))[0] / (LENGTH_S / 20)
    middle = (np.arange(20) + 0.5) / 20
    assert counts == pytest.approx(RATE * (1 - 0.8 * np.cos(2 * np.pi * middle)), abs=0.12 * RATE)


def test_on_off_is_silent_and_bursts() -> None:
    """Off for the asked share of the time; while on, Poisson at rate·period/burst."""
    t = times("on-off", shape=Shape(burst_s=5.0, period_s=20.0), length_s=20_000.0)
    gaps = np.diff(t)
    silent = gaps[gaps > 1.0]
    assert silent.sum() / 20_000.0 == pytest.approx(0.75, abs=0.05)
    assert silent.mean() == pytest.approx(15.0 + 1.0, rel=0.15)
    assert np.median(gaps) == pytest.approx(np.log(2) / (RATE * 4), rel=0.1)


@pytest.mark.parametrize("scenario", OPEN)
def test_stationary_is_what_keeps_its_rate(scenario: str) -> None:
    """The column says what the rate profile does."""
    peak = peak_rate_per_s(scenario, RATE, LENGTH_S, Shape())
    assert SCENARIOS[scenario].stationary == (peak == pytest.approx(RATE))


def test_a_new_row_is_a_new_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is not in `arrivals` yet can be planned once it has a row."""

    def two_at_once(total: float, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        return np.repeat(arrivals.poisson(total / 2, rng) * 2, 2)

    monkeypatch.setitem(SCENARIOS, "pairs", Scenario("two at a time", True, gaps=two_at_once))
    due_s = plans.make("pairs", RATE, 0.0, LENGTH_S, 0).due_s
    assert len(due_s) / LENGTH_S == pytest.approx(RATE, rel=0.05)
    assert (due_s[::2] == due_s[1::2]).all()


def test_a_scenario_without_drawn_times_says_so() -> None:
    """A trace's times come from its file."""
    with pytest.raises(ValueError, match="no due times of its own"):
        times("trace")


def test_same_seed_same_times_and_zero_is_a_seed() -> None:
    """Seed 0 must not mean "no seed"."""
    assert (times("sustained", 0) == times("sustained", 0)).all()
    assert times("sustained", 0)[0] != times("sustained", 1)[0]


@pytest.mark.parametrize(
    ("shape", "named"),
    [(Shape(cv=0), "cv = 0"), (Shape(burst_s=30.0), "period_s = 20.0"), (Shape(swing=1.5), "swing = 1.5")],
)
def test_wrong_shapes_are_refused_by_name(shape: Shape, named: str) -> None:
    """The message names the parameter and its value."""
    with pytest.raises(ValueError, match=named):
        times("burst", shape=shape)
