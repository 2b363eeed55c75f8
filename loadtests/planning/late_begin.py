"""A plan that is begun late: less of its warm-up, and the very same measured arrivals."""

from __future__ import annotations

from dataclasses import replace

from loadtests.planning import causal
from loadtests.planning.arrival import Arrival
from loadtests.planning.plan import Plan


def begun_late(plan: Plan, warm_up_s: float) -> Plan:
    """What is left of `plan` with a warm-up of `warm_up_s` seconds, its last ones; the plan itself where that
    is no less than it has. Every arrival of the measured window is there, as far from its start as before.

    Arrivals are numbered anew and times count from the later begin. A session that began before is left out.
    """
    skipped_s = plan.header.warm_up_s - warm_up_s
    if skipped_s <= 0 or plan.header.loop != "open":
        return plan
    left = causal.whole_sessions(plan.arrivals, skipped_s)
    arrivals = tuple(_later(arrival, skipped_s) for arrival in causal.renumbered(left))
    header = plan.header._replace(warm_up_s=warm_up_s, n=len(arrivals))
    return replace(plan, header=header, arrivals=arrivals)


def _later(arrival: Arrival, skipped_s: float) -> Arrival:
    return arrival._replace(due_s=round(arrival.due_s - skipped_s, 6))
