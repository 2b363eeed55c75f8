"""The parts that `tune` decides with: start values, what is verified, control variate, choice, errors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from experiments.design.cells import Cell
from experiments.spec.loads import Load
from experiments.spec.named_lanes import NONE, NamedLanes
from experiments.spec.setting import Setting
from experiments.tuning import accuracy, candidates, control, decision, verification
from experiments.tuning.model import Discrepancy, Model
from experiments.tuning.outlook import Outlook, predict, regret_of
from experiments.tuning.procedure import Effort, NothingMeasuredError, tune
from experiments.tuning.task import MeasuredRun, Task
from experiments.twin.predicted import MEASURES, measures, measures_of, of_class
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import simulate
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.limits import Limits, SlotCost
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.slo import SLO

SLO_S = SLO.parse("ttft<=0.4s,tpot<=60ms")
LOADS = (Load("sustained", 8.0, 0.7), Load("sustained", 15.0, 1.3))
MODEL = Model(TINY_CPU, (TINY_CPU,))


def setting(slots: int, queue: int = 100, timeout_s: float = 0.3) -> Setting:
    return Setting(Limits(max_active=slots, queue_max=queue, queue_timeout_s=timeout_s))


SETTINGS = tuple(setting(n, q, t) for n, q, t in itertools.product((2, 8, 16), (8, 100), (0.3, 5.0)))


def plan(cell: Cell) -> Plan:
    return plans.make("sustained", cell.load.rate_per_s or 0, 2.0, 15.0, 100 + cell.block, Mix.fixed(64, 24))


def task(settings: Sequence[Setting] = SETTINGS) -> Task:
    return Task(tuple(settings), settings[0], LOADS, SLO_S, plan, lambda _: 20.0)


class Twin:
    """A measurer whose engine is the model's own, `slow` times slower in every run."""

    def __init__(self, of: Task, slow: float = 1.0, fails: bool = False) -> None:
        self.task, self.slow, self.fails = of, slow, fails
        self.cells: list[Cell] = []

    def measure(self, cells: Sequence[Cell]) -> list[MeasuredRun]:
        self.cells += cells
        return [] if self.fails else [self.one(cell) for cell in cells]

    def one(self, cell: Cell) -> MeasuredRun:
        trace = self.task.plan(cell)
        engine = Model(TINY_CPU, (TINY_CPU,)).rescaled(self.slow, Discrepancy()).profile
        done = simulate(trace.arrivals, engine, cell.setting.limits)
        return MeasuredRun(cell, measures(trace, done, self.task.slo), {}, self.slow, 20.0)


def outlook(
    goodput: np.ndarray[tuple[int, ...], np.dtype[np.float64]], settings: Sequence[Setting]
) -> Outlook:
    """An outlook with those goodputs, shape (settings, loads, draws)."""
    runs = {name: np.full(goodput.shape, np.nan) for name in MEASURES}
    runs["goodput_per_s"] = goodput
    runs["attainment"] = goodput / goodput.max()
    return Outlook(tuple(settings), LOADS[: goodput.shape[1]], runs, 0.03)


def test_the_start_values_follow_from_objective_and_model() -> None:
    """The timeout leaves a long prompt its prefill, the slots keep the TPOT."""
    busy = plans.make("sustained", 20.0, 5.0, 30.0, 1, Mix.fixed(64, 24))
    found = candidates.derive(TINY_CPU, SLO_S, busy)
    prefill_s = TINY_CPU.step_time.duration_s(0, 64, 64)
    outside_s = TINY_CPU.ingest_s + TINY_CPU.egress_s
    assert found.queue_timeout_s == pytest.approx(0.4 - prefill_s - outside_s, abs=0.006)
    assert found.queue_max == math.ceil(found.capacity_per_s * found.queue_timeout_s)
    assert found.max_active == 16  # the whole batch decodes within 60 ms a token
    slow = candidates.derive(TINY_CPU, SLO.parse("tpot<=21ms"), busy)
    assert 1 <= slow.max_active < 16
    assert slow.queue_timeout_s == 120.0  # without a TTFT objective patience costs nothing


def test_derived_settings_and_the_default_join_the_matrix() -> None:
    """Each once; slots beyond the engine's batch are left out, the default stays whatever it is."""
    start = candidates.Derived(12, 5, 0.35, 14.0)
    today = setting(500, 9, 9.0)
    found = candidates.around([*SETTINGS, setting(64)], start, today, largest=16)
    assert len({s.name for s in found}) == len(found)
    assert {12, 6} <= {s.limits.max_active for s in found if s.limits.queue_timeout_s == 0.35}
    assert max(s.limits.max_active for s in found if s != today) <= 16
    assert today in found


def test_derived_settings_have_every_cost_and_lanes_that_were_asked_for() -> None:
    """Else the start values would only be played as slots of requests, without lanes."""
    asked = [
        replace(one, limits=replace(one.limits, slot_cost=cost), lanes=lanes)
        for one in SETTINGS[:2]
        for cost in SlotCost
        for lanes in (NONE, NamedLanes("two", Lanes((PriorityClass("c"),), (Lane("a", "c"),))))
    ]
    found = candidates.around(asked, candidates.Derived(12, 5, 0.35, 14.0), asked[0], largest=16)
    derived = [s for s in found if s.limits.queue_timeout_s == 0.35 and s.limits.max_active == 12]
    assert len({(s.limits.slot_cost, s.lanes) for s in derived}) == len(derived) == 4


def test_candidates_are_modest_where_it_is_free_and_cover_the_doubt() -> None:
    """The smaller of two equal settings first; the second is the one that wins where the first loses."""
    settings = [setting(2), setting(4), setting(8), setting(16)]
    draws = np.array(
        [[[5.0] * 4], [[9.99, 9.99, 9.99, 5.08]], [[10.0, 10.0, 10.0, 5.1]], [[6.0, 6.0, 6.0, 10.0]]]
    )
    found = verification.candidates(outlook(draws, settings))
    assert found[0] == setting(4)
    assert found[1] == setting(16)


def test_what_is_verified() -> None:
    """Candidates and default meet at the load where the candidates differ most; the far cell is none of
    theirs; the order of a block is its own and holds every cell once."""
    of = task()
    told = predict(of, MODEL, 4)
    found = verification.choose(of, told)
    assert 1 <= len(found.candidates) <= 2
    decisive = {s for s, load, _ in found.core if load == found.decisive}
    assert set(found.candidates) | {of.default} <= decisive
    assert [why for *_, why in found.core].count("far") == 1
    assert len({(s, load) for s, load, _ in found.core}) == len(found.core)
    blocks = [verification.block(found.core, k, 1) for k in range(6)]
    assert all({(c.setting, c.load) for c in b} == {(s, at) for s, at, _ in found.core} for b in blocks)
    assert len({tuple(c.setting.name for c in b) for b in blocks}) > 1


def test_the_budget_buys_further_cells_after_the_core() -> None:
    """Three blocks of the core in any case; further cells only from what is left."""
    of = task()
    poor, rich = Twin(of), Twin(of)
    found = tune(of, MODEL, poor, Effort(traces=4, budget_s=0.0))
    assert len(poor.cells) == 3 * len(found.verification.core)
    tune(of, MODEL, rich, Effort(traces=4, budget_s=20.0 * (len(poor.cells) + 6)))
    assert len(poor.cells) < len(rich.cells) <= len(poor.cells) + 6


def test_a_setting_that_turns_out_to_be_better_is_verified_too() -> None:
    """The engine is slower than calibrated, so that the settings that seemed best miss the TPOT: a smaller
    batch, which nobody had on the list, is measured, and taken."""
    slo = SLO.parse("ttft<=2s,tpot<=21.9ms")
    of = replace(task([setting(n, 50, 1.5) for n in (2, 4, 6, 8, 10, 12, 14, 16)]), slo=slo)
    measurer = Twin(of, slow=1.12)
    found = tune(of, replace(MODEL, discrepancy=Discrepancy(0.001)), measurer, Effort(traces=4))
    assert found.decision.chosen not in found.verification.candidates
    assert found.decision.chosen.limits.max_active < min(
        s.limits.max_active for s in found.verification.candidates
    )


def test_the_control_variate_takes_the_luck_of_the_traces_out() -> None:
    """With a perfect model the estimate from three traces is the mean over many, whichever they were."""
    of = task()
    pair = (setting(8), LOADS[1])
    measurer = Twin(of, slow=1.07)
    seen = measurer.measure([Cell(*pair, block) for block in range(3)])
    evidence = control.gather(of, MODEL, seen, 12)
    many = [s.values["goodput_per_s"] for s in measurer.measure([Cell(*pair, b) for b in range(50, 90)])]
    found = evidence.estimate(pair)
    error = np.std(many) / math.sqrt(len(many)) + np.std(evidence.expected[pair]) / math.sqrt(12)
    assert found.model_error == pytest.approx(0.0, abs=1e-9)
    assert abs(found.value - np.mean(many)) <= 3 * error
    assert found.low is not None
    assert found.low <= np.mean(many) <= (found.high or 0)


def test_the_number_of_arrivals_is_a_control_variate() -> None:
    """Where everything is served in time, goodput is the rate, also on traces that offered more."""
    offered = np.array([9.0, 11.0, 10.5, 12.0, 10.0, 11.5])
    assert control.at_rate(offered.copy(), offered, 10.0) == pytest.approx(np.full(6, 10.0))
    flat = np.full(6, 7.0)
    assert control.at_rate(flat, offered, 10.0) == pytest.approx(flat)


def test_the_choice_has_the_least_regret_and_is_modest_where_it_is_free() -> None:
    """In the truth of the measurer the chosen setting is within 3 % of the best of the whole matrix."""
    of = task()
    measurer = Twin(of)
    found = tune(of, MODEL, measurer, Effort(traces=4, budget_s=0.0))
    true = np.array(
        [[np.mean([measurer.one(Cell(s, at, 70 + k)).values["goodput_per_s"] for k in range(3)])
          for at in LOADS] for s in SETTINGS]
    )  # fmt: skip
    assert regret_of(true)[SETTINGS.index(found.decision.chosen)] <= regret_of(true).min() + 0.03
    assert found.recalibrated is None
    assert len(measurer.cells) == 3 * len(found.verification.core)


def test_an_engine_that_became_slower_is_noticed_and_the_model_scaled() -> None:
    """A third slower: cells leave their intervals, the factor is named, and the outlook is made anew."""
    of = task()
    found = tune(of, MODEL, Twin(of, slow=1.35), Effort(traces=4, budget_s=0.0))
    assert found.recalibrated is not None
    assert "scaled by 1.350" in found.recalibrated
    assert found.outlook_now.goodput.sum() < found.outlook.goodput.sum()


def test_undecided_settings_get_further_blocks_while_the_budget_lasts() -> None:
    """Looks after 3, 5 and 8 blocks; never beyond."""
    of = task()
    rich = Twin(of)
    tune(of, MODEL, rich, Effort(traces=4, budget_s=1e6))
    assert max(cell.block for cell in rich.cells) in (2, 4, 7)


def test_nothing_measured_is_said() -> None:
    """Without a single run at the decisive load there is nothing to decide."""
    of = task()
    with pytest.raises(NothingMeasuredError):
        tune(of, MODEL, Twin(of, fails=True), Effort(traces=4))


def test_settings_that_were_not_verified_are_judged_by_the_corrected_prediction() -> None:
    """Real engines may be worse than predicted at a load: the unmeasured settings share that, or they would
    look better than everything that was measured."""
    of = task(SETTINGS[:4])
    told = predict(of, MODEL, 4)
    seen = [Twin(of, slow=1.2).one(Cell(s, LOADS[1], b)) for s in SETTINGS[:2] for b in range(3)]
    evidence = control.gather(of, MODEL, seen, 4)
    found = decision.decide(told, evidence, LOADS[1])
    predicted = told.goodput[2:, 1]
    held = [found.values[s, LOADS[1]] for s in SETTINGS[2:4]]
    ratio = sum(found.values[s, LOADS[1]] for s in SETTINGS[:2]) / told.goodput[:2, 1].sum()
    assert held == pytest.approx(predicted * ratio)


def test_a_setting_that_surely_starves_a_load_class_is_not_chosen() -> None:
    """However good it is by goodput; where every setting does, goodput decides among all."""
    slo = SLO.parse("ttft<=1s;few:ttft<=1s,attainment>=0.9")
    greedy, fair = SETTINGS[:2]
    runs = {name: np.full((2, 2, 8), np.nan) for name in measures_of(slo)}
    runs["goodput_per_s"] = np.stack([np.full((2, 8), 10.0), np.full((2, 8), 8.0)])
    luck = np.linspace(-0.01, 0.01, 8)
    runs[of_class("few")] = np.stack([np.tile(0.3 + luck, (2, 1)), np.tile(0.95 + luck, (2, 1))])
    told = Outlook((greedy, fair), LOADS, runs, 0.03)
    assert told.surely_missed(greedy, LOADS[0], slo) == ("few",)
    assert told.surely_missed(fair, LOADS[0], slo) == ()
    of = task(SETTINGS[:2])
    seen = [Twin(of).one(Cell(s, LOADS[1], b)) for s in SETTINGS[:2] for b in range(3)]
    evidence = control.gather(of, MODEL, seen, 4)
    ever = decision.decide(told, evidence, LOADS[1])
    assert decision.decide(told, evidence, LOADS[1], [ever.chosen]).chosen != ever.chosen
    assert decision.decide(told, evidence, LOADS[1], SETTINGS[:2]).chosen == ever.chosen


def test_errors_are_split_into_model_and_noise() -> None:
    """(1 + error) = (1 + model error)·(1 + noise), and a perfect model has no error on the same trace."""
    of = task()
    told = predict(of, MODEL, 6)
    one = Twin(of).one(Cell(setting(8), LOADS[1], 0))
    row = accuracy.compare(told, one, control.same_trace(of, MODEL, one))["goodput_per_s"]
    assert row.model_error == pytest.approx(0.0)
    assert row.error is not None
    assert row.noise is not None
    assert row.error == pytest.approx((1 + 0.0) * (1 + row.noise) - 1)
    assert row.scored


def test_a_latency_without_a_narrow_interval_of_its_own_is_not_scored() -> None:
    """A p95 that was measured to ± 40 % cannot tell whether a prediction was right."""
    cell = Cell(setting(8), LOADS[0], 0)
    values = dict.fromkeys(MEASURES, 1.0)
    assert not accuracy.is_scored(MeasuredRun(cell, values, {}, 1.0, 1.0), "ttft_p95_s")
    assert not accuracy.is_scored(
        MeasuredRun(cell, values, {"ttft_p95_s": (0.6, 1.4)}, 1.0, 1.0), "ttft_p95_s"
    )
    assert accuracy.is_scored(MeasuredRun(cell, values, {"ttft_p95_s": (0.9, 1.2)}, 1.0, 1.0), "ttft_p95_s")


def test_one_run_outside_is_not_a_cell_outside() -> None:
    """One in ten leaves a 90 % interval; two of three on the same side do not do so by chance."""
    of = task()
    told = predict(of, MODEL, 6)
    pair = (setting(8), LOADS[1])
    top = told.interval(*pair, "goodput_per_s").high
    measurer = Twin(of)

    def runs(beyond: int) -> list[MeasuredRun]:
        seen = [measurer.one(Cell(*pair, b)) for b in range(3)]
        values = told.interval(*pair, "goodput_per_s").mean
        fixed = [{**s.values, "goodput_per_s": top + 1 if k < beyond else values, "attainment": math.nan}
                 for k, s in enumerate(seen)]  # fmt: skip
        return [MeasuredRun(s.cell, v, {}, 1.0, 1.0) for s, v in zip(seen, fixed, strict=True)]

    assert accuracy.outside(told, runs(1)) == []
    assert accuracy.outside(told, runs(2)) == ["ma8-q100-t0.3s at sustained@1.3x"]


def test_the_held_out_burst_sets_the_discrepancy() -> None:
    """Speed and latency residuals, never below what two runs of one machine differ by."""
    found = Discrepancy.of_held_out(1.05, [0.1, -0.1, 0.08, -0.05])
    assert found.speed_sd == pytest.approx(math.hypot(0.015, math.log(1.05)))
    assert found.latency_sd == pytest.approx(0.085, abs=0.005)
    assert Discrepancy.of_held_out(1.0, [0.0]) == Discrepancy()


def test_samples_differ_in_parameters_and_speed() -> None:
    """Every draw is used before one comes again, each at a speed of its own."""
    draws = tuple(TINY_CPU.model_copy(update={"base_s": 0.01 + k * 0.001}) for k in range(5))
    found = Model(TINY_CPU, draws, Discrepancy(0.02)).sample(10, 3)
    assert len({profile.base_s for profile in found}) == 10
    ratios = {round(p.per_token_s / TINY_CPU.per_token_s, 9) for p in found}
    assert len(ratios) == 10


def test_rates_and_shares_stay_in_their_range() -> None:
    """An interval of the attainment ends at 1, one of the goodput begins at 0."""
    of = task()
    told = predict(of, MODEL, 4)
    for s, load in itertools.product(SETTINGS, LOADS):
        share = told.interval(s, load, "attainment")
        assert 0 <= share.low <= share.mean <= share.high <= 1
        assert told.interval(s, load, "goodput_per_s").low >= 0
