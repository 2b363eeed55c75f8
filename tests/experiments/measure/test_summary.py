"""From a cell's raw material to its summary: nothing is lost, swapped or made up on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from experiments.design.cell_purpose import CellPurpose
from experiments.design.cells import Cell
from experiments.measure.summary import CellInputs, KnownEngine, summarise_cell
from experiments.run_folder.cell_summary import CellSummary, EngineLabel, MeasuredWindow
from experiments.run_folder.doubt import Severity
from experiments.stats.ledger import Check
from gateway.outcome import Outcome as GatewayOutcome
from loadtests.outcome import Outcome
from loadtests.planning.arrival import Arrival
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.planning.plan import Plan
from loadtests.record import RequestRecord
from loadtests.recording.lengths import ComparedLengths, LengthCheck, LengthFinding, LengthVerdict
from loadtests.slo import SLO
from tests.experiments.measure import hand_made
from tests.experiments.measure.hand_made import CELL, MEASURE_S, PLAN, WARM_UP_S, material, records

OBJECTIVE = SLO.parse("ttft<=0.5s,attainment>=0.95")
ENGINE = KnownEngine("EMULATOR (by hand)", max_running=64, capacity_per_s=100.0)
SHED = {
    "rejected_full": 5,
    "rejected_mode": 2,
    "over_budget": 6,
    "queue_timeout": 3,
    "draining": 1,
    "upstream_overloaded": 4,
}
"""As many of each as of no other, so that two that are mixed up show."""
OFFERED = PLAN.offered("measure")


def summarised(
    of: CellInputs, cell: Cell = CELL, engine: KnownEngine = ENGINE, plan: Plan = PLAN
) -> CellSummary:
    return summarise_cell(cell, plan, OBJECTIVE, of, engine)


def doubts(summary: CellSummary) -> dict[str, Severity]:
    return {str(doubt.code): doubt.severity for doubt in summary.doubts}


def rows(summary: CellSummary) -> dict[str, Check]:
    return {check.what: check for check in summary.ledger}


def disagreeing(summary: CellSummary) -> set[str]:
    return {check.what for check in summary.ledger if not check.agrees}


def test_a_cell_in_which_all_sides_agree_has_no_doubt() -> None:
    """Every comparison was made, and every one agrees."""
    found = summarised(material(records()))
    assert found.doubts == ()
    assert disagreeing(found) == set()
    assert set(rows(found)) == {
        "planned = recorded", "arrivals", "ok", "client left", *SHED,
        "request-seconds, client and gateway", "request-seconds, gateway and engine",
    }  # fmt: skip
    assert all(row.agrees for row in found.agreement)
    assert len(found.agreement) == 6


def test_the_cell_is_named_with_what_was_set_and_offered() -> None:
    """Setting, load, trace and window as the sweep planned them."""
    found = summarised(material(records()))
    assert (found.cell, found.sentinel, found.setting) == (CELL.id, False, CELL.setting)
    offered = found.workload
    assert (offered.load, offered.scenario, offered.workload) == ("sustained@0.7x", "sustained", None)
    assert (offered.rate_per_s, offered.relative_load, offered.block) == (20.0, 0.7, 3)
    assert (offered.seed, offered.plan_hash) == (7, PLAN.hash)
    assert (offered.prompt_tokens, offered.output_tokens) == (64, 24)
    assert found.window == MeasuredWindow(2.0, 12.0, 2.0, hand_made.STARTED_UNIX_S)
    assert found.engine == EngineLabel("EMULATOR (by hand)")
    watching = summarised(material(records()), replace(CELL, sentinel=True))
    assert watching.sentinel
    confirming = summarised(material(records()), replace(CELL, purpose=CellPurpose.VALIDATION))
    assert [one.workload.purpose for one in (watching, confirming)] == ["matrix", "validation"]


def test_counts_are_those_of_the_measured_requests() -> None:
    """Warm-up is in no count but that of all phases; a request that was served late is not good."""
    slow = PLAN.arrivals[-1]
    of = records(SHED, decode_s=lambda arrival: 0.2)
    late = replace(of[-1], first_s=slow.due_s + 0.6, last_s=slow.due_s + 0.7, finished_s=slow.due_s + 0.8)
    found = summarised(material([*of[:-1], late]))
    served = OFFERED - sum(SHED.values())
    assert found.counts is not None
    assert found.counts.offered == found.counts.recorded == OFFERED
    assert found.counts.outcomes == {"ok": served, **SHED}
    assert (found.counts.missing, found.counts.attempts) == (0, OFFERED)
    assert (found.counts.served_in_slo, found.counts.served_late) == (served - 1, 1)
    assert found.outcomes_all_phases == {"ok": len(PLAN) - sum(SHED.values()), **SHED}
    assert found.attainment == pytest.approx((served - 1) / OFFERED)
    assert found.rates is not None
    assert found.rates.offered_per_s == pytest.approx(OFFERED / MEASURE_S)
    assert found.rates.achieved_per_s == pytest.approx(served / MEASURE_S)
    assert found.rates.goodput_per_s == pytest.approx((served - 1) / MEASURE_S)
    assert found.rates.output_tokens_per_s == pytest.approx(24 * served / MEASURE_S)


def test_latencies_have_intervals_that_allow_for_correlation() -> None:
    """An effective sample size each; the send lag, which is the generator's own, has none."""
    found = summarised(material(records()))
    assert found.latency is not None
    assert found.latency.queue_s is not None
    assert found.latency.send_lag_s is not None
    assert found.latency.queue_s.p50.value == pytest.approx(0.02)
    assert 1 <= (found.latency.queue_s.p50.n_eff or 0) <= OFFERED
    assert found.latency.send_lag_s.p50.n_eff is None


@pytest.mark.parametrize("outcome", [*SHED, "client_timeout"])
def test_each_outcome_is_held_against_the_gateways_own_counter(outcome: str) -> None:
    """Both sides know it by a name of theirs: where they agree nothing is said, one more at the gateway is a
    lost request."""
    of = records({outcome: 3})
    agreed = material(of)
    assert disagreeing(summarised(agreed)) == set()
    counters = {**agreed.gateway.outcomes}
    counters[str(hand_made.AT_GATEWAY[Outcome(outcome)])] += 1
    lost = summarised(replace(agreed, gateway=replace(agreed.gateway, outcomes=counters)))
    row = "client left" if outcome == "client_timeout" else outcome
    assert disagreeing(lost) == {"arrivals", row}
    assert rows(lost)[row].gateway == 4
    assert doubts(lost) == {"ledger": Severity.INVALID}


def test_two_counters_that_are_mixed_up_are_two_faults() -> None:
    """The sum is right and both rows are wrong: client on the client's side, gateway on the other."""
    agreed = material(records(SHED))
    counters = {**agreed.gateway.outcomes}
    full, timeout = str(GatewayOutcome.REJECTED_FULL), str(GatewayOutcome.QUEUE_TIMEOUT)
    counters[full], counters[timeout] = counters[timeout], counters[full]
    found = summarised(replace(agreed, gateway=replace(agreed.gateway, outcomes=counters)))
    assert disagreeing(found) == {"rejected_full", "queue_timeout"}
    assert (rows(found)["rejected_full"].client, rows(found)["rejected_full"].gateway) == (5, 3)
    assert (rows(found)["queue_timeout"].client, rows(found)["queue_timeout"].gateway) == (3, 5)


def test_a_record_that_is_missing_is_a_fault_of_the_ledger() -> None:
    """Planned, recorded and the gateway's own count."""
    full = material(records())
    found = summarised(replace(full, records=full.records[:-1]))
    assert disagreeing(found) >= {"planned = recorded", "arrivals", "ok"}
    row = rows(found)["planned = recorded"]
    assert (row.client, row.gateway) == (len(PLAN) - 1, len(PLAN))
    assert found.counts is not None
    assert found.counts.missing == 1


def test_attempts_of_a_client_that_retries_are_counted_one_by_one() -> None:
    """And their times are not added up, which are known of the last one only."""
    of = records()
    again = replace(of[50], tried=(Outcome.REJECTED_FULL, Outcome.REJECTED_FULL, Outcome.OK), attempts=3)
    agreed = material([*of[:50], again, *of[51:]])
    counters = {**agreed.gateway.outcomes, str(GatewayOutcome.REJECTED_FULL): 2.0}
    found = summarised(replace(agreed, gateway=replace(agreed.gateway, outcomes=counters)))
    assert disagreeing(found) == set()
    assert rows(found)["arrivals"].client == len(PLAN) + 2
    assert not any(what.startswith("request-seconds") for what in rows(found))


def test_request_seconds_are_those_of_each_place() -> None:
    """The client's whole requests beside slots and queue of the gateway, its slots beside the engine."""
    full = material(records())
    assert full.engine is not None
    found = rows(summarised(full))
    outer = found["request-seconds, client and gateway"]
    assert outer.client == pytest.approx(
        sum((r.finished_s or 0) - (r.sent_s or 0) for r in full.records), abs=1e-3
    )
    assert outer.gateway == pytest.approx(full.gateway.active_s + full.gateway.queued_s, abs=1e-3)
    inner = found["request-seconds, gateway and engine"]
    assert inner.client == pytest.approx(full.gateway.active_s, abs=1e-3)
    assert inner.gateway == pytest.approx(full.engine.request_s, abs=1e-3)
    slow = replace(full, gateway=replace(full.gateway, queued_s=full.gateway.queued_s + 10.0))
    assert doubts(summarised(slow)) == {"request_seconds": Severity.WARN}


def test_an_engine_that_counts_other_requests_too_is_not_added_up() -> None:
    """Its sum would be of more than this cell."""
    full = material(records())
    assert full.engine is not None
    shared = replace(full, engine=replace(full.engine, requests=full.engine.requests + 1))
    assert "request-seconds, gateway and engine" not in rows(summarised(shared))


def test_quantiles_of_records_and_histograms_stand_beside_each_other() -> None:
    """Each beside the one of its own name and share; the histograms as they were read."""
    full = material(records())
    found = summarised(full)
    assert found.prometheus == full.histograms
    at = {(row.metric, row.quantile): row for row in found.agreement}
    for name in ("ttft_from_send_s", "e2e_from_send_s", "queue_s"):
        assert at[name, 0.5].prometheus == full.histograms[name].p50.value
        assert at[name, 0.95].prometheus == full.histograms[name].p95.value
    assert at["queue_s", 0.5].records == pytest.approx(0.02)
    assert at["queue_s", 0.95].records == pytest.approx(0.04)
    assert at["ttft_from_send_s", 0.5].records == pytest.approx(0.06)


def test_only_requests_that_ended_between_the_scrapes_are_held_against_the_histograms() -> None:
    """Prometheus saw six seconds: what became slow after them is in the records alone."""
    of = records(decode_s=lambda arrival: 0.2 if arrival.due_s < 6.5 else 0.6)
    full = replace(
        material(of),
        scrape_times=hand_made.SCRAPES[:7],
        histograms=hand_made.histograms([r for r in of if (r.finished_s or 0.0) <= 6.0]),
    )
    found = summarised(full)
    assert all(row.agrees for row in found.agreement)
    whole = summarised(replace(full, histograms=hand_made.histograms(of)))
    assert {row.metric for row in whole.agreement if not row.agrees} == {"e2e_from_send_s"}
    assert "sources_disagree" in doubts(whole)


def test_without_a_scrape_there_is_nothing_to_compare() -> None:
    """And that is said."""
    found = summarised(replace(material(records()), scrape_times=[]))
    assert all(row.records is None for row in found.agreement)
    assert doubts(found) == {"scrapes_missing": Severity.WARN}


def test_the_slow_request_is_taken_apart_with_the_engines_own_means() -> None:
    """What lies before the first token goes to queue and prefill as one to three, their means."""
    found = summarised(material(records()))
    assert found.breakdown is not None
    assert found.breakdown.p50 is not None
    assert found.breakdown.p95 is not None
    for parts in (found.breakdown.p50, found.breakdown.p95):
        assert parts.engine_queue_s == pytest.approx(hand_made.ENGINE_QUEUE_S)
        assert parts.prefill_s == pytest.approx(hand_made.PREFILL_S)
        assert parts.largest == "decode"
    assert found.breakdown.p95.of_s > found.breakdown.p50.of_s


def test_an_engine_that_says_nothing_of_its_queue_is_not_asked_for_it() -> None:
    """Unknown, silent or restarted: all that lies before the first token is prefill."""
    full = material(records())
    assert full.engine is not None
    for engine in (
        None,
        replace(full.engine, queue_s=0.0, prefill_s=0.0),
        replace(full.engine, requests=0.0),
        replace(full.engine, request_s=-1.0),
    ):
        found = summarised(replace(full, engine=engine))
        assert found.breakdown is not None
        assert found.breakdown.p50 is not None
        assert found.breakdown.p50.engine_queue_s is None
        assert found.breakdown.p50.prefill_s == pytest.approx(0.04)
        assert found.engine_growth == engine


def _busy_s(record: RequestRecord) -> float:
    """Seconds of the measured window in which the request held a slot."""
    begin_s = (record.sent_s or 0.0) + (record.queue_s or 0.0)
    return max(0.0, min(record.finished_s or 0.0, WARM_UP_S + MEASURE_S) - max(begin_s, WARM_UP_S))


def test_the_saturation_is_judged_from_what_happened_in_the_window() -> None:
    """Slots from the records; the engine's series without the samples before and after."""
    of = records(SHED)
    found = summarised(material(of)).saturation
    assert found is not None
    assert found.verdict == "stable"
    assert found.rejected_ratio == pytest.approx(sum(SHED.values()) / OFFERED)
    busy_s = sum(_busy_s(record) for record in of if record.outcome in ("ok", "upstream_overloaded"))
    assert found.slots_busy_ratio == pytest.approx(busy_s / (MEASURE_S * 16), rel=0.03)
    assert found.engine_running_mean == 4.0
    assert found.engine_waiting_mean == 0.0
    assert found.kv_use_max == 0.3


@pytest.mark.parametrize(
    ("engine", "late", "binding"),
    [
        (KnownEngine("x", None, None), False, "slots"),
        (KnownEngine("x", 4, None), False, "engine_batch"),
        (KnownEngine("x", None, 20.0), False, "compute"),
        (KnownEngine("x", 4, 20.0), True, "client"),
    ],
)
def test_what_bound_follows_from_what_is_known_of_the_engine(
    engine: KnownEngine, late: bool, binding: str
) -> None:
    """Four slots under the work of five; the batch, the rate that the probe saw, and a late generator."""
    slots = replace(CELL.setting, limits=replace(CELL.setting.limits, max_active=4))
    full = material(records())
    ended = replace(full.load_run.ended, client_saturated=late, reasons=("p99 send lag 9 ms",) * late)
    full = replace(full, load_run=replace(full.load_run, ended=ended))
    found = summarised(full, replace(CELL, setting=slots), engine)
    assert found.saturation is not None
    assert (found.saturation.verdict, found.saturation.binding) == ("saturated", binding)
    assert ("client_saturated" in doubts(found)) is late


def _ever_slower(arrival: Arrival) -> float:
    return 0.2 + 0.2 * arrival.due_s


@pytest.mark.parametrize(("shed", "code"), [({}, "cannot_be"), ({"rejected_full": 2}, "not_steady")])
def test_a_change_of_level_is_a_doubt(shed: Mapping[str, int], code: str) -> None:
    """Of a backlog that nothing bounded it is said that it could not be steady."""
    found = summarised(material(records(shed, decode_s=_ever_slower)))
    assert found.steady_state is not None
    assert found.steady_state.verdict == code
    assert doubts(found) == {code: Severity.WARN}


def test_a_rate_that_changes_by_design_is_no_doubt() -> None:
    """Nothing is steady in a burst, and nobody expects it."""
    burst = replace(CELL, load=replace(CELL.load, scenario="burst"))
    found = summarised(material(records(decode_s=_ever_slower)), burst)
    assert found.steady_state is not None
    assert found.steady_state.verdict == "cannot_be"
    assert found.doubts == ()


def test_what_machine_engine_and_gpu_did_is_doubted() -> None:
    """Each from its own source; a GPU that throttled outside the window did not."""
    full = material(records())
    assert full.engine is not None
    assert doubts(summarised(replace(full, stolen_ratio=0.05))) == {"cpu_stolen": Severity.WARN}
    cached = replace(full.engine, prefix_hit_tokens=0.5 * full.engine.prompt_tokens)
    assert doubts(summarised(replace(full, engine=cached))) == {"prefix_cache": Severity.WARN}
    restarted = replace(full.engine, prompt_tokens=-5.0)
    assert doubts(summarised(replace(full, engine=restarted))) == {"engine_restarted": Severity.INVALID}
    hot = replace(full, series=hand_made.series({"gpu_thermal_slowdown": 1.0}, outside=0.0))
    assert doubts(summarised(hot)) == {"gpu_thermal": Severity.INVALID}
    later = replace(full, series=hand_made.series({"gpu_thermal_slowdown": 0.0}, outside=1.0))
    assert doubts(summarised(later)) == {}


def test_what_the_load_generator_says_of_itself_is_doubted() -> None:
    """Its reasons stand in the sentence, and so does the count of what was cut."""
    full = material(records())
    ended = replace(
        full.load_run.ended, client_saturated=True, reasons=("p99 send lag 9 ms",), complete=False,
        outcomes={"ok": 1, "cut": 2},
    )  # fmt: skip
    found = summarised(replace(full, load_run=replace(full.load_run, ended=ended)))
    assert doubts(found) == {
        "client_saturated": Severity.INVALID,
        "records_lost": Severity.INVALID,
        "cut": Severity.WARN,
    }
    assert "p99 send lag 9 ms" in found.doubts[0].text
    assert found.doubts[2].text.startswith("2 requests")
    assert found.invalid_codes == {"client_saturated", "records_lost"}


def test_holes_in_the_series_are_doubted() -> None:
    """Prometheus missed the gateway for a few seconds."""
    full = material(records())
    scrapes = [t for t in full.scrape_times if not 4.0 < t - hand_made.STARTED_UNIX_S < 9.0]
    assert doubts(summarised(replace(full, scrape_times=scrapes))) == {"scrape_gap": Severity.WARN}


def test_classes_of_requests_are_summarised_apart() -> None:
    """Where there are several; their counts add up to the whole."""
    assert summarised(material(records())).classes is None
    arrivals = tuple(a._replace(cls="short" if a.i % 3 else "long") for a in PLAN.arrivals)
    plan = replace(PLAN, arrivals=arrivals)
    found = summarised(material(records(SHED, plan)), plan=plan)
    assert found.classes is not None
    assert set(found.classes) == {"short", "long"}
    assert sum(one.counts.offered for one in found.classes.values()) == OFFERED
    assert found.classes["short"].counts.offered > found.classes["long"].counts.offered


def test_lengths_that_are_off_make_another_workload() -> None:
    """What the load generator found is in the summary and, as a doubt of its weight, beside the numbers."""
    full = material(records())
    check = LengthCheck(240, 240, 240, 24.0, 3.0, 24, 3)
    severities = {
        LengthVerdict.ANOTHER_WORKLOAD: {"lengths": Severity.INVALID},
        LengthVerdict.DOUBTFUL: {"lengths": Severity.WARN},
        LengthVerdict.UNKNOWN: {"lengths_unknown": Severity.WARN},
    }
    for verdict, expected in severities.items():
        lengths = ComparedLengths(240, check, check, (LengthFinding(verdict, "3 where 24 were asked"),))
        ended = replace(full.load_run.ended, lengths=lengths)
        found = summarised(replace(full, load_run=replace(full.load_run, ended=ended)))
        assert doubts(found) == expected
        assert found.doubts[0].text == "3 where 24 were asked"
        assert found.lengths == lengths


def test_free_lengths_are_a_fact_of_the_workload() -> None:
    full = material(records())
    assert summarised(full).workload.answer_lengths is AnswerLengths.FORCED
    asked = replace(full.load_run.asked, answer_lengths=AnswerLengths.FREE)
    free = summarised(replace(full, load_run=replace(full.load_run, asked=asked)))
    assert free.workload.answer_lengths is AnswerLengths.FREE
