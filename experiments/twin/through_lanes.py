"""A plan as a gateway with lanes sees it: who sends each of its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from experiments.twin.simulated import NOBODY, Arrival, Sender
from experiments.twin.tables import Offered
from gateway.lane import NO_LANES, Lanes
from loadtests.planning.load_class import LoadClass
from loadtests.planning.plan import Plan


def offered_of(plan: Plan, lanes: Lanes | None = None, arrivals: Sequence[Arrival] | None = None) -> Offered:
    """The plan through these lanes (None: none are known of). A load class is in the lane that its tenant and
    priority class name, as of a client that the gateway trusts, and due as its lane says.
    `arrivals`: of the plan, with other lengths.
    """
    lanes = NO_LANES if lanes is None else lanes
    played: Sequence[Arrival] = plan.arrivals if arrivals is None else arrivals
    names = lane_names(plan.header.classes, lanes)
    if not names:
        return Offered(played, lanes=lanes)
    within_s = {lane.name: lane.within_s for lane in lanes.lanes}
    senders = {name: Sender(lane, within_s[lane] or inf) for name, lane in names.items()}
    return Offered(played, [senders.get(arrival.cls, NOBODY) for arrival in plan.arrivals], lanes)


def lane_names(classes: Iterable[LoadClass], lanes: Lanes) -> Mapping[str, str]:
    """The lane of each load class; both by name."""
    return {
        one.name: lanes.asked_for(lanes.unknown, one.tenant or None, one.priority_class or None).name
        for one in classes
    }
