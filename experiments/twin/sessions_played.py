"""What became of a plan's sessions in a simulation."""

from __future__ import annotations

import numpy as np

from experiments.twin.simulated import OK, Simulated
from loadtests.latency import tpot_column_s
from loadtests.planning.plan import Plan
from loadtests.session_outcome import SessionsJudged, judge_sessions
from loadtests.slo import SLO


def played_sessions(plan: Plan, done: Simulated, slo: SLO, phase: str = "measure") -> SessionsJudged:
    """Each session of the plan that begins in the phase, judged as measured ones are."""
    mine = np.array([a.session >= 0 and a.phase == phase for a in plan.arrivals], dtype=bool)
    arrivals = [a for a, inside in zip(plan.arrivals, mine, strict=True) if inside]
    due_s, first_s, last_s = done.due_s[mine], done.first_s[mine], done.last_s[mine]
    tokens = np.array([a.output_tokens for a in arrivals], dtype=float)
    ok = done.codes[mine] == OK
    columns = {
        "ttft_s": first_s - due_s,
        "ttfv_s": first_s - due_s,  # the twin does not reason
        "tpot_s": tpot_column_s(first_s, last_s, tokens),
        "e2e_s": last_s - due_s,
        "first_s": first_s,
        "visible_s": first_s,
    }
    classes = np.array([a.cls for a in arrivals], dtype=str)
    good = slo.judge_columns(ok, columns.__getitem__, lambda name: np.asarray(classes == name))
    bound_s = {name: slo.of(name).session_s for name in set(classes.tolist())}
    within_s = np.array([bound_s[name] for name in classes.tolist()], dtype=float)
    session = np.array([a.session for a in arrivals], dtype=np.int64)
    return judge_sessions(session, due_s, last_s, ok, good, within_s)
