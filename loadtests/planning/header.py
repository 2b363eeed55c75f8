"""The header of a plan: what it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from loadtests.planning.load_class import LoadClass

REQUESTS_PER_SESSION = "requests_per_session"
"""The parameter of a header with sessions: how many requests there are for each of them, mean."""
Param = int | float | str


class Header(NamedTuple):
    """What the plan was made from; everything needed to make it again."""

    scenario: str
    workload: str
    seed: int
    rate_per_s: float
    warm_up_s: float
    measure_s: float
    loop: str
    n: int
    params: Mapping[str, Param]
    notes: Sequence[str]
    classes: Sequence[LoadClass] = ()
    """The load classes that are mixed, without their objectives; none where all requests are of one kind."""

    def tokens(self, name: str) -> int | None:
        """The planned `prompt_tokens` or `output_tokens`, where all requests have one length."""
        value = self.params.get(name)
        return value if isinstance(value, int) else None

    @property
    def requests_per_session(self) -> float | None:
        """Requests for each session, mean; None without sessions."""
        value = self.params.get(REQUESTS_PER_SESSION)
        return None if value is None else float(value)
