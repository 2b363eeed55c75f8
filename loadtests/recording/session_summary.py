"""What a load run found of whole sessions: how many were good, and how long they took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loadtests.planning.plan import Plan
from loadtests.recording.latency_summary import Latency, latency_of
from loadtests.recording.table import Table
from loadtests.session_outcome import SessionsJudged, judge_sessions
from loadtests.slo import SLO


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """Sessions that begin in one phase."""

    offered: int
    """planned"""
    served: int
    """all of whose requests were served"""
    good: int
    """in which every request met its thresholds; where the SLO bounds sessions, those served in time"""
    attainment: float | None
    """share of the offered ones that are good, 0-1"""
    offered_per_s: float | None
    goodput_per_s: float | None
    """good ones per second of the phase"""
    requests: float | None
    """of a session, mean"""
    length_s: Latency
    """first request due to the last answer's end, pauses included; of the served ones"""

    def met(self, target: float) -> bool:
        """Whether at least that share of them is good."""
        return self.attainment is not None and self.attainment >= target


def session_summary(
    data: Table, plan: Plan, slo: SLO, phase: str, load_class: str | None = None
) -> SessionSummary | None:
    """Of the sessions of a phase (of one load class, where it is named); None where the plan has none."""
    judged = judged_sessions(data, plan, slo, phase, load_class)
    if judged is None:
        return None
    start_s, end_s = plan.phase_s(phase)
    offered, good = len(judged.session), int(judged.good.sum())
    length_s = end_s - start_s
    return SessionSummary(
        offered=offered,
        served=int(judged.served.sum()),
        good=good,
        attainment=good / offered,
        offered_per_s=offered / length_s if length_s > 0 else None,
        goodput_per_s=good / length_s if length_s > 0 else None,
        requests=float(judged.requests.mean()),
        length_s=latency_of(judged.length_s[judged.served]),
    )


def judged_sessions(
    data: Table, plan: Plan, slo: SLO, phase: str, load_class: str | None = None
) -> SessionsJudged | None:
    """Each session that begins in the phase, also where requests have no record; None: there is none."""
    arrivals = [a for a in plan.arrivals if a.session >= 0 and a.phase == phase]
    if load_class is not None:
        arrivals = [a for a in arrivals if a.cls == load_class]
    if not arrivals or plan.header.loop != "open":
        return None
    row = np.full(len(plan), -1)
    row[data.i] = np.arange(len(data))
    at = row[[a.i for a in arrivals]]
    known = at >= 0
    due_s, end_s = np.array([a.due_s for a in arrivals]), np.full(len(arrivals), np.nan)
    ok, good = np.zeros(len(arrivals), dtype=bool), np.zeros(len(arrivals), dtype=bool)
    due_s[known], end_s[known] = data.times("due_s")[at[known]], data.times("finished_s")[at[known]]
    ok[known], good[known] = data.ok()[at[known]], data.in_slo(slo)[at[known]]
    bound_s = {cls: slo.of(cls).session_s for cls in {a.cls for a in arrivals}}
    return judge_sessions(
        np.array([a.session for a in arrivals]),
        due_s,
        end_s,
        ok,
        good,
        np.array([bound_s[a.cls] for a in arrivals], dtype=float),
    )
