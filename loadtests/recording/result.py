"""The end of a load run: load.json's content and the exit code, from the folder's records and what the
senders saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtests.outcome import Outcome
from loadtests.planning.plan import Plan
from loadtests.recording.chunk_times import ChunkTimes
from loadtests.recording.lengths import ComparedLengths
from loadtests.recording.load_run import CpuShare, Ended
from loadtests.recording.saturation import Lags, reasons
from loadtests.recording.summary import meets, summarise
from loadtests.recording.table import Table
from loadtests.slo import SLO

OK, SLO_MISSED, CLIENT_SATURATED, RECORDS_LOST, UNREACHABLE, ANOTHER_WORKLOAD = 0, 10, 11, 12, 13, 14


@dataclass(slots=True)
class SenderFacts:
    """What one sending process saw of itself: hub lags in seconds, CPU share of each second, records it
    made."""

    hub_lags_s: list[float] = field(default_factory=list)
    cpu_shares: list[float] = field(default_factory=list)
    recorded: int = 0
    chunk_times: ChunkTimes = field(default_factory=ChunkTimes)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended. `why` is "completed", "stopped", "run_time", "SIGINT" or "SIGTERM"; lost: workers
    that died."""

    why: str
    lost_workers: Sequence[str]
    rebuilt: int
    """Records that were made up at the end for arrivals of dead workers."""


def result(
    data: Table,
    plan: Plan,
    slo: SLO,
    senders: Sequence[SenderFacts],
    ending: Ending,
    lengths: ComparedLengths | None = None,
    *,
    gate: bool,
) -> Ended:
    """How the run ended and what it came to. `gate`: a missed objective is a failure, and so is one that
    another workload met."""
    lag = data.times("send_lag_s")
    send = Lags.of(lag[~np.isnan(lag)].tolist())
    hub = Lags.of([x for sender in senders for x in sender.hub_lags_s])
    shares = [x for sender in senders for x in sender.cpu_shares]
    planned = len(plan) if plan.header.loop == "open" else len(data)
    outcomes = data.outcomes()
    complete = (
        planned == len(np.unique(data.i)) == len(data) and not ending.rebuilt and not ending.lost_workers
    )
    why = reasons(send, hub, slo)
    summary = summarise(data, plan, slo)
    missed = gate and not meets(summary, slo)
    code = exit_code(complete, outcomes, ending.why, saturated=bool(why), missed=missed)
    if gate and code in (OK, SLO_MISSED) and lengths is not None and lengths.another_workload:
        code = ANOTHER_WORKLOAD
    return Ended(
        planned=planned,
        recorded=len(data),
        rebuilt=ending.rebuilt,
        complete=complete,
        ended=ending.why,
        lost_workers=tuple(ending.lost_workers),
        outcomes=outcomes,
        send_lag=send,
        hub_lag=hub,
        cpu=CpuShare(float(np.mean(shares)) if shares else None, max(shares, default=None)),
        client_saturated=bool(why),
        reasons=tuple(why),
        exit_code=code,
        summary=summary,
        lengths=lengths,
        chunk_times=ChunkTimes.sum(sender.chunk_times for sender in senders),
    )


def exit_code(
    complete: bool,
    outcomes: Mapping[str, int],
    ended: str,
    *,
    saturated: bool,
    missed: bool,
) -> int:
    """The most serious finding as an exit code; see docs/load-testing.md. missed: the objective, where that
    is a failure."""
    sent = sum(n for name, n in outcomes.items() if name != Outcome.NOT_SENT)
    if not complete:
        return RECORDS_LOST
    if sent and outcomes.get(Outcome.CONNECT_ERROR, 0) == sent:
        return UNREACHABLE
    if ended in ("SIGINT", "SIGTERM"):
        return {"SIGINT": 130, "SIGTERM": 143}[ended]
    if saturated:
        return CLIENT_SATURATED
    if missed:
        return SLO_MISSED
    return OK
