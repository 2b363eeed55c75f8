"""What `tune` leaves beside the cells: the recommendation, and what was predicted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.run_folder import codec
from experiments.run_folder.prediction import EngineTime, Prediction
from experiments.run_folder.recommendation import Recommendation
from experiments.stats.goodput import Interval
from experiments.tuning import accuracy, report
from experiments.tuning.calibration_used import Calibrated
from experiments.tuning.procedure import Effort, Tuned, tune
from experiments.tuning.task import Task
from tests.experiments.tuning.test_tuning import LOADS, MODEL, SETTINGS, Twin, task

COST = EngineTime(200.0, 2_000.0, 0.1, probe_s=20.0, calibration_s=60.0, verification_s=120.0)
CALIBRATED = Calibrated(MODEL, Path("runs/x/profile.json"), "vLLM 0.32.0 (CPU)", True, "was right", 60.0)
OF_SUMMARY = {"ttft_s_p95", "e2e_s_p95", "tpot_s_p95", "goodput_per_s", "attainment"}
"""Names of the measures as everybody who reads predicted.json knows them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A matrix of six settings, on an engine that is a fifth slower than the model."""

    task: Task
    tuned: Tuned

    def recommended(self, *doubts: str) -> Recommendation:
        return report.recommendation(self.task, self.tuned, "EMULATOR (exact)", list(doubts))

    def predicted(self) -> Prediction:
        return report.predicted(self.task, self.tuned, CALIBRATED, COST)


@pytest.fixture(scope="module")
def found() -> Found:
    of = task(SETTINGS[:6])
    return Found(of, tune(of, MODEL, Twin(of, slow=1.2), Effort(traces=4, budget_s=0.0)))


def measured_at(found: Found) -> set[str]:
    chosen = found.tuned.decision.chosen
    return {str(seen.cell.load) for seen in found.tuned.seen if seen.cell.setting == chosen}


def test_the_recommendation_is_the_decision(found: Found) -> None:
    """Setting, variables, the cells behind it, and by what it was judged on what."""
    recommended, chosen = found.recommended(), found.tuned.decision.chosen
    assert recommended.setting == chosen
    assert recommended.env == chosen.env()
    assert recommended.env["MAX_ACTIVE"] == str(chosen.limits.max_active)
    assert recommended.cell_ids == tuple(s.cell.id for s in found.tuned.seen if s.cell.setting == chosen)
    assert len(recommended.cell_ids) >= 3
    assert (recommended.slo, recommended.engine) == (str(found.task.slo), "EMULATOR (exact)")
    assert recommended.worst_regret == found.tuned.decision.regret[chosen]
    assert (recommended.source, recommended.capacity) == ("tune", None)


def test_loads_say_whether_they_were_measured(found: Found) -> None:
    """In the order of the task; measured ones with the estimate and its interval, the others with the
    prediction."""
    recommended, decision = found.recommended(), found.tuned.decision
    assert [row.load for row in recommended.loads] == [str(load) for load in LOADS]
    assert [row.rate_per_s for row in recommended.loads] == [8.0, 15.0]
    assert {row.load for row in recommended.loads if row.measured} == measured_at(found)
    for row, load in zip(recommended.loads, LOADS, strict=True):
        estimate = decision.estimates.get((decision.chosen, load))
        if estimate is not None:
            assert row.goodput_per_s == Interval(estimate.value, estimate.low, estimate.high)
        else:
            assert row.goodput_per_s == Interval(decision.values[decision.chosen, load], None, None)
        assert row.best_goodput_per_s == decision.best[load]
        assert 0.0 <= row.attainment <= 1.0


def test_goodput_is_that_of_the_decisive_load_and_attainment_that_of_the_nominal_one(found: Found) -> None:
    """The two numbers at the head stand in the rows as well."""
    recommended = found.recommended()
    rows = {row.load: row for row in recommended.loads}
    assert recommended.goodput_per_s == rows[str(found.tuned.verification.decisive)].goodput_per_s
    assert recommended.attainment == rows["sustained@0.7x"].attainment


def test_measured_attainment_is_the_mean_over_the_runs(found: Found) -> None:
    """Not what the model says of a new one."""
    decisive, chosen = found.tuned.verification.decisive, found.tuned.decision.chosen
    runs = [
        seen.values["attainment"]
        for seen in found.tuned.seen
        if (seen.cell.setting, seen.cell.load) == (chosen, decisive)
    ]
    row = next(row for row in found.recommended().loads if row.load == str(decisive))
    assert row.attainment == pytest.approx(sum(runs) / len(runs))


def test_the_verified_neighbours_say_why_not(found: Found) -> None:
    """Each but the chosen one, with its own estimate at the decisive load and what it loses."""
    recommended, decision = found.recommended(), found.tuned.decision
    decisive = found.tuned.verification.decisive
    assert [n.setting for n in recommended.neighbours] == [s for s in decision.regret if s != decision.chosen]
    assert recommended.neighbours
    for neighbour in recommended.neighbours:
        estimate = decision.estimates[neighbour.setting, decisive]
        assert neighbour.name == neighbour.setting.name
        assert neighbour.goodput_per_s == Interval(estimate.value, estimate.low, estimate.high)
        assert neighbour.worst_regret == decision.regret[neighbour.setting]
        assert str(decisive) in neighbour.why_not
        assert f"loses up to {neighbour.worst_regret:.1%} of the best" in neighbour.why_not
    assert recommended.inseparable == tuple(s for s in decision.tied if s != decision.chosen)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ((1.5, 1.0, 2.0), "1.50 good requests/s fewer"),
        ((-1.5, -2.0, -1.0), "1.50 good requests/s more"),
        ((0.001, -0.002, 0.004), "equal within 3%"),
        ((0.5, -2.0, 3.0), "cannot be told apart"),
        ((0.5, None, None), "+0.50 good requests/s against it"),
    ],
)
def test_a_neighbour_is_told_by_the_interval_of_the_gap(
    gap: tuple[float, float | None, float | None], said: str, found: Found
) -> None:
    """The gap is the chosen one's goodput less the neighbour's: above zero the neighbour has fewer."""
    decision = found.tuned.decision
    other = next(s for s in decision.regret if s != decision.chosen)
    changed = replace(found.tuned, decision=replace(decision, gaps={**decision.gaps, other: gap}))
    recommended = report.recommendation(found.task, changed, "x", [])
    (neighbour,) = (n for n in recommended.neighbours if n.setting == other)
    assert neighbour.why_not.startswith(said)


def test_doubts_say_what_was_not_measured_and_what_was_moved(found: Found) -> None:
    """The model's correction first, the loads that are only predicted, then those of the caller."""
    doubts = found.recommended("PROVISIONAL: …").doubts
    assert found.tuned.recalibrated is not None
    assert doubts[0] == found.tuned.recalibrated
    assert "scaled by 1.200" in doubts[0]
    assert doubts[-1] == "PROVISIONAL: …"
    missing = [str(load) for load in LOADS if str(load) not in measured_at(found)]
    only = [doubt for doubt in doubts if doubt.startswith("predicted, not measured")]
    assert only == (
        [f"predicted, not measured, for the chosen setting: {', '.join(missing)}"] * bool(missing)
    )


def test_an_objective_that_is_missed_is_a_doubt(found: Found) -> None:
    """With the share that met it, at the largest load that is not above capacity."""
    strict = replace(found.task, slo=replace(found.task.slo, attainment=1.0))
    seen = tuple(replace(s, values={**s.values, "attainment": 0.5}) for s in found.tuned.seen)
    doubts = report.recommendation(strict, replace(found.tuned, seen=seen), "x", []).doubts
    (missed,) = (doubt for doubt in doubts if doubt.startswith("the SLO asks for 100%"))
    assert "at sustained@0.7x" in missed
    everybody = replace(found.task, slo=replace(found.task.slo, attainment=0.01))
    assert not any("the SLO asks" in d for d in report.recommendation(everybody, found.tuned, "x", []).doubts)


def test_every_measured_cell_stands_beside_its_prediction(found: Found) -> None:
    """In the order of the measurement, with what was offered, why it was measured and how fast it ran."""
    cells = found.predicted().cells
    assert [one.cell for one in cells] == [seen.cell.id for seen in found.tuned.seen]
    for one, seen in zip(cells, found.tuned.seen, strict=True):
        cell = seen.cell
        assert (one.setting, one.speed) == (cell.setting, seen.speed)
        offered = one.workload
        assert (offered.load, offered.scenario) == (str(cell.load), cell.load.scenario)
        assert (offered.rate_per_s, offered.relative_load) == (cell.load.rate_per_s, cell.load.relative)
        assert (offered.block, offered.seed) == (cell.block, 100 + cell.block)
        assert (cell.setting, cell.load, one.why) in found.tuned.pairs
        assert set(one.metrics) == OF_SUMMARY


def test_a_metric_is_the_prediction_and_the_measurement_of_that_name(found: Found) -> None:
    """Nobody gets another's numbers; an error is the model's and the noise of one run, multiplied."""
    names = {
        "ttft_s_p95": "ttft_p95_s", "e2e_s_p95": "e2e_p95_s", "tpot_s_p95": "tpot_p95_s",
        "goodput_per_s": "goodput_per_s", "attainment": "attainment",
    }  # fmt: skip
    outlook = found.tuned.outlook
    for one, seen in zip(found.predicted().cells, found.tuned.seen, strict=True):
        for name, metric in one.metrics.items():
            told = outlook.interval(seen.cell.setting, seen.cell.load, names[name])
            assert (metric.predicted, metric.low, metric.high) == (told.mean, told.low, told.high)
            assert metric.measured == seen.values[names[name]]
            same = found.tuned.evidence.same[seen.cell][names[name]]
            assert metric.model_error == pytest.approx(same / (metric.measured or math.nan) - 1)
            if metric.error is not None and metric.model_error is not None and metric.noise is not None:
                assert 1 + metric.error == pytest.approx((1 + metric.model_error) * (1 + metric.noise))
            assert metric.inside == (told.low <= (metric.measured or 0.0) <= told.high)


def test_what_is_not_defined_is_none(found: Found) -> None:
    """A cell that served nobody has no latency, and JSON no NaN."""
    first, *others = found.tuned.seen
    empty = replace(first, values={**first.values, "ttft_p95_s": math.nan})
    tuned = replace(found.tuned, seen=(empty, *others))
    document = report.predicted(found.task, tuned, CALIBRATED, COST)
    metric = document.cells[0].metrics["ttft_s_p95"]
    assert (metric.measured, metric.error, metric.inside, metric.scored) == (None, None, None, False)
    json.dumps(codec.to_json(document), allow_nan=False)


def test_intervals_of_the_measured_values_are_kept(found: Found) -> None:
    """Low and high of the cell's own."""
    first, *others = found.tuned.seen
    sure = replace(first, intervals={"ttft_p95_s": (0.25, 0.35)})
    document = report.predicted(found.task, replace(found.tuned, seen=(sure, *others)), CALIBRATED, COST)
    metric = document.cells[0].metrics["ttft_s_p95"]
    assert (metric.measured_low, metric.measured_high) == (0.25, 0.35)
    assert document.cells[1].metrics["ttft_s_p95"].measured_low is None


def test_the_coverage_counts_what_is_scored(found: Found) -> None:
    """Measures inside their intervals, of those that count."""
    document = found.predicted()
    metrics = [metric for cell in document.cells for metric in cell.metrics.values()]
    counted = [metric for metric in metrics if metric.scored and metric.inside is not None]
    assert (document.coverage.level, document.coverage.of) == (0.9, len(counted))
    assert document.coverage.inside == sum(bool(metric.inside) for metric in counted)
    assert 0 < document.coverage.inside < document.coverage.of
    rows = [
        accuracy.compare(found.tuned.outlook, seen, found.tuned.evidence.same[seen.cell])
        for seen in found.tuned.seen
    ]
    assert (document.coverage.inside, document.coverage.of) == accuracy.coverage(rows)


def test_the_whole_matrix_is_there_with_its_regret(found: Found) -> None:
    """A row a setting, a goodput a load, in the order of the loads; the regret is the most that it loses."""
    document, goodput = found.predicted(), found.tuned.outlook.goodput
    assert document.loads == ("sustained@0.7x", "sustained@1.3x")
    assert [row.setting for row in document.matrix] == list(SETTINGS[:6])
    assert [list(row.goodput_per_s) for row in document.matrix] == goodput.tolist()
    for row in document.matrix:
        lost = [1 - value / goodput[:, j].max() for j, value in enumerate(row.goodput_per_s)]
        assert row.regret == pytest.approx(max(lost))


def test_the_model_behind_it_and_its_cost_are_named(found: Found) -> None:
    """Whose engine, how many draws, whether its gate was passed, and why it was moved."""
    document = found.predicted()
    assert (document.model.name, document.model.source) == (MODEL.profile.name, MODEL.profile.source)
    assert (document.model.label, document.model.draws) == ("vLLM 0.32.0 (CPU)", 1)
    assert (document.model.gate.passed, document.model.gate.why) == (True, "was right")
    assert document.cost == COST
    assert (document.recalibrated, document.recalibration) == (True, found.tuned.recalibrated)
    assert document.fallback is None


def test_a_refused_model_predicts_nothing(tmp_path: Path) -> None:
    """The reason and the cost are all there is to say."""
    bad = replace(CALIBRATED, passed=False, why="ttft_s_p95 is off by +40.0%")
    document = report.refused(bad, "the model was refused", COST)
    codec.write(tmp_path / "predicted.json", document)
    assert codec.read(Prediction, tmp_path / "predicted.json") == document
    assert document.fallback == "the model was refused"
    assert (document.model.gate.passed, document.model.gate.why) == (False, "ttft_s_p95 is off by +40.0%")
    assert (document.cells, document.matrix, document.loads) == ((), (), ())
    assert (document.coverage.inside, document.coverage.of) == (0, 0)
    assert (document.recalibrated, document.cost) == (False, COST)


def test_both_are_read_as_they_were_written(found: Found, tmp_path: Path) -> None:
    """By whoever shows the run."""
    for value in (found.recommended("a doubt"), found.predicted()):
        codec.write(tmp_path / "document.json", value)
        assert codec.read(type(value), tmp_path / "document.json") == value
