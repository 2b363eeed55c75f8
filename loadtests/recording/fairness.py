"""How evenly tenants were served: what each got of what would be fair, and Jain's index over them.

Fair is max-min: of the tokens that were served in all, each tenant gets what it asked for or an equal part of
what the modest ones leave (D. Bertsekas, R. Gallager, Data Networks, 1992, section 6.5.2). So a tenant that
asks for little and gets it is no unfairness, nor is it that a flood is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.planning.plan import Plan
from loadtests.recording.table import Table


@dataclass(frozen=True, slots=True)
class TenantShare:
    """One tenant in one phase; tokens are those of prompts and answers as planned."""

    tenant: str
    asked_tokens: int
    """of the requests offered"""
    served_tokens: int
    """of the requests served, whether or not in time"""
    fair_tokens: float
    """what a max-min fair division of all that was served gives it"""


@dataclass(frozen=True, slots=True)
class Fairness:
    """How evenly tenants were served."""

    jain: float | None
    """Jain's index of served / fair over the tenants, 1 / their number to 1; none where nothing was served"""
    tenants: tuple[TenantShare, ...]


def fairness(data: Table, mask: NDArray[np.bool_], plan: Plan) -> Fairness | None:
    """Of the records of the mask (n,); None where the plan has no two tenants."""
    tenant_of = {one.name: one.tenant for one in plan.header.classes if one.tenant}
    names = tuple(dict.fromkeys(tenant_of.values()))
    if len(names) < 2:
        return None
    # A user of a closed loop goes round and round in the plan's arrivals.
    arrivals = [plan.arrivals[i % len(plan.arrivals)] for i in data.i[mask].tolist()]
    ok = data.ok()[mask].tolist()
    asked, served = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for arrival, was_served in zip(arrivals, ok, strict=True):
        tenant = tenant_of.get(arrival.cls)
        if tenant is not None:
            tokens = arrival.prompt_tokens + arrival.output_tokens
            asked[tenant] += tokens
            served[tenant] += tokens if was_served else 0
    fair = max_min(sum(served.values()), asked)
    shares = [TenantShare(name, asked[name], served[name], fair[name]) for name in names]
    return Fairness(
        jain([one.served_tokens / one.fair_tokens for one in shares if one.fair_tokens]), tuple(shares)
    )


def max_min(total: float, asked: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of `total`, which is at most the sum of what is asked for: nobody gets more than it
    asked for, and nobody could get more without somebody with less losing."""
    left, parts = float(total), {}
    for waiting, (name, wanted) in enumerate(sorted(asked.items(), key=lambda item: item[1])):
        parts[name] = min(float(wanted), left / (len(asked) - waiting))
        left -= parts[name]
    return parts


def jain(parts: Sequence[float]) -> float | None:
    """(Σx)² / (n Σx²) (R. Jain, D. Chiu, W. Hawe, DEC TR-301, 1984): 1 where all have the same part, 1/n
    where one has everything; None where nobody has any."""
    squares = sum(part * part for part in parts)
    return sum(parts) ** 2 / (len(parts) * squares) if squares > 0 else None
