"""Who gives way in a full queue, for a newcomer of a lane that waits with less than its share."""

from collections.abc import Sequence

from gateway.lane_state import ClassState, LaneState


def longest_of(classes: Sequence[ClassState], lane: LaneState) -> LaneState | None:
    """The lane whose newest waiter leaves for one more of `lane`; None: no one has to. classes: most urgent
    first.

    It is the longest one for its weight: of the least urgent class, if that is less urgent than its own; else
    of its own class, if it is longer than this lane would be. A class keeps as many places as it has reserved
    slots.
    """
    own = lane.of_class
    wants_its_place = own.waiting < own.reserved
    for each in reversed(classes):
        longest = each.longest()
        if each is own:
            if longest is not None and longest.length > (len(lane.arrived) + 1) / lane.weight:
                return longest
            if not wants_its_place:
                return None
        elif longest is not None and each.waiting > each.reserved:
            return longest
    return None
