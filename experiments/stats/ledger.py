"""Counting the same requests at the client and at the gateway: what one saw, the other must have seen."""

from collections.abc import Mapping
from dataclasses import dataclass

# Record outcomes of requests that never reached the gateway, so that it cannot have counted them.
NEVER_ARRIVED = ("not_sent", "connect_error")

# Gateway outcome → the record outcomes that it may appear as at the client. Exact where it is one to one; a
# client that leaves decides for itself what it calls the end, and the gateway may have finished in the same
# instant.
_SAME = ("rejected_full", "rejected_mode", "queue_timeout", "draining", "upstream_overloaded")
_CLIENT_LEFT = ("client_timeout", "cancelled", "cut")


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison. `explanation` says why a difference is as it should be; without one, a difference is a
    fault."""

    what: str
    client: float
    gateway: float
    agrees: bool
    explanation: str | None = None


def checks(
    planned: int, recorded: int, client: Mapping[str, int], gateway: Mapping[str, float]
) -> tuple[Check, ...]:
    """The ledger of a cell.

    Args:
        planned: arrivals in the plan.
        recorded: requests with a record, over every phase.
        client: outcome → attempts that ended so; a client that retries makes several for one record.
        gateway: gateway outcome → growth of its counter over the cell.
    """
    arrived = sum(client.values()) - sum(client.get(name, 0) for name in NEVER_ARRIVED)
    rows = [
        Check("planned = recorded", recorded, planned, recorded == planned),
        Check("arrivals", arrived, sum(gateway.values()), arrived == sum(gateway.values())),
    ]
    for name in _SAME:
        ours, theirs = client.get(name, 0), gateway.get(name, 0.0)
        rows.append(Check(name, ours, theirs, ours == theirs))
    rows.append(_served(client, gateway))
    rows.append(_left(client, gateway))
    return tuple(rows)


def _served(client: Mapping[str, int], gateway: Mapping[str, float]) -> Check:
    """Served on both sides, or served here and left there in the same instant."""
    ours, theirs = client.get("ok", 0), gateway.get("ok", 0.0)
    left = sum(client.get(name, 0) for name in _CLIENT_LEFT)
    excess = theirs - ours
    if excess == 0:
        return Check("ok", ours, theirs, True)
    if 0 < excess <= left:
        return Check(
            "ok", ours, theirs, True, f"{excess:g} finished at the gateway as the client gave up on them"
        )
    return Check("ok", ours, theirs, False)


def _left(client: Mapping[str, int], gateway: Mapping[str, float]) -> Check:
    """Requests that the client gave up on, which the gateway saw as a client that left, or as finished in
    that instant."""
    ours, theirs = sum(client.get(name, 0) for name in _CLIENT_LEFT), gateway.get("client_abort", 0.0)
    if ours == theirs:
        return Check("client left", ours, theirs, True)
    if ours > theirs:
        return Check(
            "client left",
            ours,
            theirs,
            True,
            f"{ours - theirs:g} ended at the gateway before it saw the client leave",
        )
    return Check("client left", ours, theirs, False)
