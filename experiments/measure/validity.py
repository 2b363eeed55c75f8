"""Reasons to distrust a cell's numbers, each with what to do about it. Shown beside the numbers, never in a
footnote.

`invalid` keeps a cell out of the recommendation; `warn` stands beside it; `info` explains.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.observe.engine_growth import EngineGrowth
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.load_run import length_doubts
from experiments.stats.agreement import Agreement
from experiments.stats.ledger import Check
from experiments.stats.steady_state import SteadyState, SteadyVerdict
from loadtests.recording.load_run import Ended

# Fewer measured requests than this have no two-sided 95 % interval of a p95 (order statistics of a binomial).
MIN_FOR_P95 = 59
_LONGEST_SCRAPE_GAP_S = 3.5
_MOST_STOLEN = 0.02
_MOST_PREFIX_HITS = 0.02


@dataclass(frozen=True, slots=True)
class OfferedRates:
    """Measured requests, and what was offered and planned, requests per second."""

    measured: int
    offered_per_s: float
    planned_per_s: float


def doubts(
    load_run: Ended,
    rates: OfferedRates,
    ledger: Sequence[Check],
    agreements: Sequence[Agreement],
    scrape_times: Sequence[float],
) -> list[Doubt]:
    """Every doubt about a cell; an empty list means that nothing was found. `scrape_times`: Unix seconds."""
    return [
        *_of_load_run(load_run),
        *_of_rates(rates),
        *(_of_ledger(check) for check in ledger if not check.agrees),
        *_of_agreements(agreements),
        *_scrape_gaps(scrape_times),
    ]


def _of_load_run(load_run: Ended) -> list[Doubt]:
    found = []
    if load_run.client_saturated:
        reasons = "; ".join(load_run.reasons) or "its own lag bends the numbers"
        text = f"the load generator was too slow ({reasons}): lower the rate or add workers"
        found.append(Doubt(DoubtCode.CLIENT_SATURATED, Severity.INVALID, text))
    if not load_run.complete:
        text = "not every planned request has a record: see locust.log of the cell"
        found.append(Doubt(DoubtCode.RECORDS_LOST, Severity.INVALID, text))
    cut = load_run.outcomes.get("cut", 0)
    if cut:
        text = (
            f"{cut} requests were still running when the drain ended and count as missed: a longer --drain "
            "would see their end"
        )
        found.append(Doubt(DoubtCode.CUT, Severity.WARN, text))
    return [*found, *length_doubts(load_run.lengths)]


def _of_rates(rates: OfferedRates) -> list[Doubt]:
    found = []
    if rates.measured < MIN_FOR_P95:
        text = (
            f"{rates.measured} measured requests are too few for a p95 ({MIN_FOR_P95} at least): measure "
            "longer"
        )
        found.append(Doubt(DoubtCode.FEW_REQUESTS, Severity.WARN, text))
    if rates.planned_per_s and abs(rates.offered_per_s / rates.planned_per_s - 1) > 0.02:
        text = f"offered {rates.offered_per_s:.2f}/s of {rates.planned_per_s:.2f}/s planned"
        found.append(Doubt(DoubtCode.LOAD_NOT_DELIVERED, Severity.WARN, text))
    return found


def _of_agreements(agreements: Sequence[Agreement]) -> list[Doubt]:
    disagreeing = [f"{a.metric} p{a.quantile * 100:g}" for a in agreements if not a.agrees]
    if not disagreeing:
        return []
    text = f"records and Prometheus differ by more than a bucket: {', '.join(disagreeing)}"
    return [Doubt(DoubtCode.SOURCES_DISAGREE, Severity.WARN, text)]


def _of_ledger(check: Check) -> Doubt:
    """A count that differs is a lost request; sums of times also hold what a busy machine puts in between."""
    if check.what.startswith("request-seconds"):
        text = (
            f"{check.what} differ: {check.client:g} and {check.gateway:g}; the machine was busy, or a clock "
            "is wrong"
        )
        return Doubt(DoubtCode.REQUEST_SECONDS, Severity.WARN, text)
    severity = Severity.WARN if check.what == "ok" else Severity.INVALID
    return Doubt(
        DoubtCode.LEDGER, severity, f"{check.what}: client counts {check.client:g}, gateway {check.gateway:g}"
    )


def of_machine(stolen_ratio: float | None, engine: EngineGrowth | None) -> list[Doubt]:
    """What machine and engine did that a measurement must not contain."""
    found: list[Doubt] = []
    if stolen_ratio is not None and stolen_ratio > _MOST_STOLEN:
        text = f"the host gave {stolen_ratio:.1%} of the CPU time to others: repeat when it is quieter"
        found.append(Doubt(DoubtCode.CPU_STOLEN, Severity.WARN, text))
    if engine is None:
        return found
    if engine.restarted:
        found.append(
            Doubt(
                DoubtCode.ENGINE_RESTARTED,
                Severity.INVALID,
                "the engine's counters began anew: it restarted in this cell",
            )
        )
    elif (engine.prefix_hit_tokens or 0.0) > _MOST_PREFIX_HITS * engine.prompt_tokens > 0:
        share = (engine.prefix_hit_tokens or 0.0) / engine.prompt_tokens
        text = (
            f"{share:.1%} of the prompt tokens came from the engine's prefix cache: prompts were meant to "
            f"be unique"
        )
        found.append(Doubt(DoubtCode.PREFIX_CACHE, Severity.WARN, text))
    return found


def of_steadiness(steady_state: SteadyState, *, changes_by_design: bool) -> list[Doubt]:
    """A cell that was not steady, or could not be, says so; a rate that changes by design is no fault."""
    codes = {
        SteadyVerdict.NOT_STEADY: DoubtCode.NOT_STEADY,
        SteadyVerdict.CANNOT_BE: DoubtCode.CANNOT_BE_STEADY,
    }
    if changes_by_design or steady_state.verdict not in codes:
        return []
    text = f"not in steady state: {steady_state.why}"
    return [Doubt(codes[steady_state.verdict], Severity.WARN, text)]


def _scrape_gaps(times: Sequence[float]) -> list[Doubt]:
    if len(times) < 2:
        return [
            Doubt(
                DoubtCode.SCRAPES_MISSING,
                Severity.WARN,
                "Prometheus has fewer than two scrapes of the gateway in this cell",
            )
        ]
    longest = max(b - a for a, b in itertools.pairwise(times))
    if longest <= _LONGEST_SCRAPE_GAP_S:
        return []
    return [
        Doubt(
            DoubtCode.SCRAPE_GAP,
            Severity.WARN,
            f"Prometheus missed the gateway for {longest:.1f} s: series have a hole there",
        )
    ]
