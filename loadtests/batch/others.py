"""What the gateway shows of the others, read off its metrics page. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from loadtests.outcome import Outcome

_WANTED = ("gateway_queue_depth", "gateway_lane_", "gateway_class_ttft_seconds")
_SHED = frozenset({Outcome.REJECTED_FULL, Outcome.REJECTED_MODE, Outcome.QUEUE_TIMEOUT})


@dataclass(frozen=True, slots=True)
class LaneLook:
    """One lane: waiters and slots held now; shed, TTFT sum (s) and count since the gateway began."""

    waiting: float = 0.0
    shed: float = 0.0
    ttft_s: float = 0.0
    ttfts: float = 0.0
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class ClassLook:
    """First tokens of a priority class since the gateway began: how many, and how many within the objective.

    The gateway counts in buckets; of the one in which the objective lies all are late.
    """

    ttfts: float = 0.0
    in_time: float = 0.0

    @property
    def late(self) -> float:
        """Those that were not within it."""
        return self.ttfts - self.in_time


@dataclass(frozen=True, slots=True)
class Look:
    """The gateway at one moment. waiting: all waiters; lanes: by `tenant/class`, classes: by name, none where
    it has none.
    """

    waiting: float
    lanes: Mapping[str, LaneLook] = field(default_factory=dict)
    classes: Mapping[str, ClassLook] = field(default_factory=dict)

    @classmethod
    def of(cls, page: str, ttft_s: float | None = None) -> Look | None:
        """From a metrics page; None: it is not one of the gateway's. ttft_s: the objective, None: none is
        late. Raises ValueError: it is no metrics page at all.
        """
        lines = "\n".join(line for line in page.splitlines() if line.startswith(_WANTED))
        waiting: float | None = None
        lanes: dict[str, dict[str, float]] = {}
        classes: dict[str, ClassLook] = {}
        within_s = math.inf if ttft_s is None else ttft_s
        for family in text_string_to_metric_families(lines + "\n"):
            for sample in family.samples:
                if sample.name == "gateway_queue_depth":
                    waiting = sample.value
                elif sample.name.startswith("gateway_class_"):
                    _add_to_class(classes, sample, within_s)
                elif "tenant" in sample.labels:
                    _add_to_lane(lanes, sample)
        if waiting is None:
            return None
        return cls(waiting, {name: _lane(of) for name, of in lanes.items()}, classes)


def _add_to_lane(lanes: dict[str, dict[str, float]], sample: Sample) -> None:
    labels = sample.labels
    if labels.get("outcome", Outcome.QUEUE_TIMEOUT) in _SHED:
        of_lane = lanes.setdefault(f"{labels['tenant']}/{labels.get('priority_class')}", {})
        of_lane[sample.name] = of_lane.get(sample.name, 0.0) + sample.value


def _add_to_class(classes: dict[str, ClassLook], sample: Sample, within_s: float) -> None:
    name = sample.labels.get("priority_class", "")
    known = classes.get(name, ClassLook())
    if sample.name.endswith("_count"):
        classes[name] = ClassLook(sample.value, known.in_time)
    elif sample.name.endswith("_bucket") and float(sample.labels["le"]) <= within_s:
        classes[name] = ClassLook(known.ttfts, max(known.in_time, sample.value))


def _lane(values: Mapping[str, float]) -> LaneLook:
    return LaneLook(
        values.get("gateway_lane_queue_depth", 0.0),
        values.get("gateway_lane_requests_total", 0.0),
        values.get("gateway_lane_ttft_seconds_sum", 0.0),
        values.get("gateway_lane_ttft_seconds_count", 0.0),
        values.get("gateway_lane_active", 0.0),
    )


def class_of(lane: str) -> str:
    """The priority class of a lane."""
    return lane.partition("/")[2]


def own_waiting(now: Look, own: str) -> int:
    """How many of a lane wait; without lanes all that wait, since a batch should not stand before anybody."""
    return int(now.lanes.get(own, LaneLook()).waiting if now.lanes else now.waiting)


def grown(before: LaneLook, now: LaneLook) -> LaneLook:
    """What was counted of a lane since then; all of it where the gateway began anew."""
    if now.ttfts < before.ttfts or now.shed < before.shed:
        return now
    return LaneLook(
        now.waiting, now.shed - before.shed, now.ttft_s - before.ttft_s, now.ttfts - before.ttfts, now.held
    )


def class_grown(before: ClassLook, now: ClassLook) -> ClassLook:
    """The same of a class."""
    if now.ttfts < before.ttfts:
        return now
    return ClassLook(now.ttfts - before.ttfts, now.in_time - before.in_time)


def mean_ttft_s(lanes: Iterable[LaneLook]) -> float:
    """Over all of them; 0 where nobody was served."""
    sums = [(lane.ttft_s, lane.ttfts) for lane in lanes]
    count = math.fsum(ttfts for _, ttfts in sums)
    return math.fsum(ttft_s for ttft_s, _ in sums) / count if count else 0.0
