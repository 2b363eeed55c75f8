"""What master and workers say to each other over Locust's connection, which carries msgpack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.planning.prompts import TokenCost

RECORDS = "headroom_records"
"""Worker → master: {"lines": whole lines of records}."""
PROGRESS = "headroom_progress"
"""Worker → master: the fields of `SenderNews`."""
DONE = "headroom_done"
"""Worker → master: the fields of `SenderFacts`; no records follow."""
ACK = "headroom_ack"
"""Master → worker: everything of yours is here, the spool may go."""
END = "headroom_end"
"""Master → workers: {"why": end now}."""


@dataclass(frozen=True, slots=True)
class SenderNews:
    """Worker → master, twice a second: how far it is, and what it saw of itself since it last told.

    Requests; hub lags in seconds; CPU of single seconds, of one core, 0-1.
    """

    sent: int
    in_flight: int
    hub_lags_s: Sequence[float]
    cpu_shares: Sequence[float]


@dataclass(frozen=True, slots=True)
class Brief:
    """Master → workers, with Locust's start: what to send, and when t = 0 is.

    plan: the content of a plan file. order: the ids of the workers; its place in it is a worker's share.
    """

    plan: bytes
    cost: TokenCost
    start_unix_s: float
    order: Sequence[str]
    model: str
    prompt_salt: str
    run_dir: str

    def to_wire(self) -> dict[str, object]:
        """As plain data."""
        return {**asdict(self), "cost": self.cost.to_json()}

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> Brief:
        """The inverse of `to_wire`. Raises TypeError, ValueError or KeyError for something else."""
        return cls(**{**fields, "cost": TokenCost.from_json(fields["cost"])})
