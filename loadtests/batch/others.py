"""What the gateway shows of the others: whether they leave something of the engine. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client.parser import text_string_to_metric_families

from loadtests.outcome import Outcome

_WANTED = ("gateway_queue_depth", "gateway_lane_")
_SHED = frozenset({Outcome.REJECTED_FULL, Outcome.REJECTED_MODE, Outcome.QUEUE_TIMEOUT})
HEADROOM = 0.5
"""While the others' first tokens take more than this part of the objective on average, a batch pauses."""


class Pause(StrEnum):
    """Why a batch sends nothing; each a clause for its progress line."""

    OTHERS_WAIT = "others wait for a slot"
    OTHERS_SHED = "others were refused or timed out"
    NO_HEADROOM = "the others' first tokens come close to the objective"
    NO_LOOK = "the gateway does not show how it is"


@dataclass(frozen=True, slots=True)
class LaneLook:
    """One lane: waiters now; shed, TTFT sum (s) and count since the gateway began."""

    waiting: float = 0.0
    shed: float = 0.0
    ttft_s: float = 0.0
    ttfts: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """The gateway at one moment. waiting: all waiters; lanes: by `tenant/class`, none where it has none."""

    waiting: float
    lanes: Mapping[str, LaneLook] = field(default_factory=dict)

    @classmethod
    def of(cls, page: str) -> Look | None:
        """From a metrics page; None: it is not one of the gateway's. Raises ValueError: it is none at all."""
        lines = "\n".join(line for line in page.splitlines() if line.startswith(_WANTED))
        waiting: float | None = None
        values: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(lines + "\n"):
            for sample in family.samples:
                if sample.name == "gateway_queue_depth":
                    waiting = sample.value
                    continue
                labels = sample.labels
                if "tenant" not in labels or labels.get("outcome", Outcome.QUEUE_TIMEOUT) not in _SHED:
                    continue
                lane = f"{labels['tenant']}/{labels.get('priority_class')}"
                of_lane = values.setdefault(lane, {})
                of_lane[sample.name] = of_lane.get(sample.name, 0.0) + sample.value
        return None if waiting is None else cls(waiting, {name: _lane(of) for name, of in values.items()})


def _lane(values: Mapping[str, float]) -> LaneLook:
    return LaneLook(
        values.get("gateway_lane_queue_depth", 0.0),
        values.get("gateway_lane_requests_total", 0.0),
        values.get("gateway_lane_ttft_seconds_sum", 0.0),
        values.get("gateway_lane_ttft_seconds_count", 0.0),
    )


def own_waiting(now: Look, own: str) -> int:
    """How many of a lane wait; without lanes all that wait, since a batch should not stand before anybody."""
    return int(now.lanes.get(own, LaneLook()).waiting if now.lanes else now.waiting)


def pause(before: Look | None, now: Look, own: str, ttft_s: float | None) -> Pause | None:
    """Why a batch in the lane `own` should wait, None where the others leave something.

    before: an earlier look, with which what grew since is judged. ttft_s: the others' objective; None: none.
    Without lanes nobody can be told apart, and only `own_waiting` and refusals hold a batch back.
    """
    others = {name: lane for name, lane in now.lanes.items() if name != own}
    if any(lane.waiting for lane in others.values()):
        return Pause.OTHERS_WAIT
    if before is None:
        return None
    grown = [_grown(before.lanes.get(name, LaneLook()), lane) for name, lane in others.items()]
    if any(lane.shed > 0 for lane in grown):
        return Pause.OTHERS_SHED
    mean_s = _mean_ttft_s(grown)
    if ttft_s is not None and mean_s > HEADROOM * ttft_s:
        return Pause.NO_HEADROOM
    return None


def _grown(before: LaneLook, now: LaneLook) -> LaneLook:
    """Since then; all of it where the gateway began anew."""
    if now.ttfts < before.ttfts or now.shed < before.shed:
        return now
    return LaneLook(now.waiting, now.shed - before.shed, now.ttft_s - before.ttft_s, now.ttfts - before.ttfts)


def _mean_ttft_s(lanes: Iterable[LaneLook]) -> float:
    """Over all of them; 0 where nobody was served."""
    sums = [(lane.ttft_s, lane.ttfts) for lane in lanes]
    count = math.fsum(ttfts for _, ttfts in sums)
    return math.fsum(ttft_s for ttft_s, _ in sums) / count if count else 0.0
