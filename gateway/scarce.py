"""What there is too little of when a request finds no place: slots, or tokens of the KV cache."""

from gateway.admission import Admission


def scarce(admission: Admission) -> str:
    """A clause for whom is refused now: what binds. Few different ones, so that answers can be prepared."""
    limits, pool = admission.limits, admission.pool
    if admission.active >= limits.max_active:
        return f"all {limits.max_active} slots are busy"
    if pool is None:
        # Reserved for another class, over its lane's bound, or too few for a request of several sequences.
        return "the slots that are free are not for it"
    if admission.lanes.shared:
        return f"too few slots and KV cache tokens (of {pool.budget:.0f}) are free"
    return f"too few of the {pool.budget:.0f} KV cache tokens are free"
