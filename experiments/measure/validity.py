"""Reasons to distrust a cell's numbers, each with what to do about it. Shown beside the numbers, never in a
footnote.

`invalid` keeps a cell out of the recommendation; `warn` stands beside it; `info` explains.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.observe.engine_counters import EngineGrowth
from experiments.stats.agreement import Agreement
from experiments.stats.ledger import Check

# Fewer measured requests than this have no two-sided 95 % interval of a p95 (order statistics of a binomial).
MIN_FOR_P95 = 59
_LONGEST_SCRAPE_GAP_S = 3.5
_MOST_STOLEN = 0.02
_MOST_PREFIX_HITS = 0.02


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason; `code` is from a small fixed set, `severity` info, warn or invalid."""

    code: str
    severity: str
    text: str

    def to_json(self) -> dict[str, str]:
        """As stored in summary.json."""
        return asdict(self)


def doubts(
    load_run: dict[str, Any],
    measured: int,
    offered_rate_per_s: float,
    planned_rate_per_s: float,
    ledger: Sequence[Check],
    agreements: Sequence[Agreement],
    scrape_times: Sequence[float],
) -> list[Doubt]:
    """Every doubt about a cell; an empty list means that nothing was found."""
    found: list[Doubt] = []
    if load_run.get("client_saturated"):
        reasons = (
            "; ".join(str(reason) for reason in load_run.get("reasons", []))
            or "its own lag bends the numbers"
        )
        found.append(
            Doubt(
                "client_saturated",
                "invalid",
                f"the load generator was too slow ({reasons}): lower the rate or add workers",
            )
        )
    if not load_run.get("complete", False):
        found.append(
            Doubt(
                "records_lost",
                "invalid",
                "not every planned request has a record: see locust.log of the cell",
            )
        )
    cut = (load_run.get("outcomes") or {}).get("cut", 0)
    if cut:
        found.append(
            Doubt(
                "cut",
                "warn",
                f"{cut} requests were still running when the drain ended and count as missed: a longer "
                "--drain would see their end",
            )
        )
    if measured < MIN_FOR_P95:
        found.append(
            Doubt(
                "few_requests",
                "warn",
                f"{measured} measured requests are too few for a p95 ({MIN_FOR_P95} at least): measure "
                "longer",
            )
        )
    if planned_rate_per_s and abs(offered_rate_per_s / planned_rate_per_s - 1) > 0.02:
        found.append(
            Doubt(
                "load_not_delivered",
                "warn",
                f"offered {offered_rate_per_s:.2f}/s of {planned_rate_per_s:.2f}/s planned",
            )
        )
    found += [_of_ledger(check) for check in ledger if not check.agrees]
    disagreeing = [f"{a.metric} p{a.quantile * 100:g}" for a in agreements if not a.agrees]
    if disagreeing:
        found.append(
            Doubt(
                "sources_disagree",
                "warn",
                f"records and Prometheus differ by more than a bucket: {', '.join(disagreeing)}",
            )
        )
    found += _scrape_gaps(scrape_times)
    return found


def _of_ledger(check: Check) -> Doubt:
    """A count that differs is a lost request; sums of times also hold what a busy machine puts in between."""
    if check.what.startswith("request-seconds"):
        text = (
            f"{check.what} differ: {check.client:g} and {check.gateway:g}; the machine was busy, or a "
            f"clock is wrong"
        )
        return Doubt("request_seconds", "warn", text)
    severity = "warn" if check.what == "ok" else "invalid"
    return Doubt(
        "ledger", severity, f"{check.what}: client counts {check.client:g}, gateway {check.gateway:g}"
    )


def of_machine(stolen_ratio: float | None, engine: EngineGrowth | None) -> list[Doubt]:
    """What machine and engine did that a measurement must not contain."""
    found: list[Doubt] = []
    if stolen_ratio is not None and stolen_ratio > _MOST_STOLEN:
        text = f"the host gave {stolen_ratio:.1%} of the CPU time to others: repeat when it is quieter"
        found.append(Doubt("cpu_stolen", "warn", text))
    if engine is None:
        return found
    if engine.restarted:
        found.append(
            Doubt(
                "engine_restarted", "invalid", "the engine's counters began anew: it restarted in this cell"
            )
        )
    elif engine.prompt_tokens and engine.prefix_hit_tokens / engine.prompt_tokens > _MOST_PREFIX_HITS:
        share = engine.prefix_hit_tokens / engine.prompt_tokens
        text = (
            f"{share:.1%} of the prompt tokens came from the engine's prefix cache: prompts were meant to "
            f"be unique"
        )
        found.append(Doubt("prefix_cache", "warn", text))
    return found


def of_steadiness(steady_state: Mapping[str, Any], *, changes_by_design: bool) -> list[Doubt]:
    """A cell that was not steady, or could not be, says so; a rate that changes by design is no fault."""
    if changes_by_design or steady_state["verdict"] not in ("not_steady", "cannot_be"):
        return []
    return [Doubt(str(steady_state["verdict"]), "warn", f"not in steady state: {steady_state['why']}")]


def _scrape_gaps(times: Sequence[float]) -> list[Doubt]:
    if len(times) < 2:
        return [
            Doubt(
                "scrapes_missing", "warn", "Prometheus has fewer than two scrapes of the gateway in this cell"
            )
        ]
    longest = max(b - a for a, b in itertools.pairwise(times))
    if longest <= _LONGEST_SCRAPE_GAP_S:
        return []
    return [
        Doubt(
            "scrape_gap",
            "warn",
            f"Prometheus missed the gateway for {longest:.1f} s: series have a hole there",
        )
    ]
