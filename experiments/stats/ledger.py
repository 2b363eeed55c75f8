"""Counting the same requests at the client and at the gateway: what one saw, the other must have seen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.outcome import Outcome

# A shed request has the same outcome on both sides. A client that leaves decides for itself what it calls the
# end, and the gateway, to which it is `client_abort`, may have finished in the same instant.
_CLIENT_LEFT = (Outcome.CLIENT_TIMEOUT, Outcome.CANCELLED, Outcome.CUT)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison. `explanation` says why a difference is as it should be; without one, a difference is a
    fault."""

    what: str
    client: float
    gateway: float
    agrees: bool
    explanation: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As stored in summary.json."""
        return asdict(self)


def checks(
    planned: int, recorded: int, client: Mapping[Outcome, int], gateway: Mapping[str, float]
) -> tuple[Check, ...]:
    """The ledger of a cell.

    Args:
        planned: arrivals in the plan.
        recorded: requests with a record, over every phase.
        client: outcome → attempts that ended so; a client that retries makes several for one record.
        gateway: gateway outcome → growth of its counter over the cell.
    """
    arrived = sum(count for outcome, count in client.items() if outcome.arrived)
    rows = [
        Check("planned = recorded", recorded, planned, recorded == planned),
        Check("arrivals", arrived, sum(gateway.values()), arrived == sum(gateway.values())),
    ]
    for outcome in Outcome:
        if outcome.shed:
            ours, theirs = client.get(outcome, 0), gateway.get(outcome, 0.0)
            rows.append(Check(outcome.value, ours, theirs, ours == theirs))
    rows.append(_served(client, gateway))
    rows.append(_left(client, gateway))
    return tuple(rows)


def _served(client: Mapping[Outcome, int], gateway: Mapping[str, float]) -> Check:
    """Served on both sides, or served here and left there in the same instant."""
    ours, theirs = client.get(Outcome.OK, 0), gateway.get("ok", 0.0)
    left = sum(client.get(name, 0) for name in _CLIENT_LEFT)
    excess = theirs - ours
    if excess == 0:
        return Check("ok", ours, theirs, True)
    if 0 < excess <= left:
        return Check(
            "ok", ours, theirs, True, f"{excess:g} finished at the gateway as the client gave up on them"
        )
    return Check("ok", ours, theirs, False)


def _left(client: Mapping[Outcome, int], gateway: Mapping[str, float]) -> Check:
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
