"""Capacity under an objective that several load classes have each their own of: the rate of the whole mix at
which the first of them falls below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from experiments.stats.knee import Capacity, CapacityVerdict, capacity
from experiments.stats.rate_search import next_rate
from experiments.stats.stretch import Stretch
from loadtests.slo import SLO

_ORDER = (CapacityVerdict.BELOW_RANGE, CapacityVerdict.FOUND, CapacityVerdict.NOT_REACHED)


def capacity_under(stretches: Sequence[Stretch], slo: SLO) -> Capacity:
    """The largest steady rate (of all classes together) at which the objective is met, by every load class
    that has one of its own; at least one stretch."""
    if not slo.classes:
        return capacity(stretches, slo.attainment)
    name, found = _least(stretches, slo)
    return replace(found, why=f"{found.why}; of the load classes {name} gives way first")


def next_rate_under(
    stretches: Sequence[Stretch], slo: SLO, start_per_s: float, precision: float
) -> float | None:
    """`next_rate` for the class that gives way first, as far as is known by now."""
    if not slo.classes or not stretches:
        return next_rate(stretches, slo.attainment, start_per_s, precision)
    name, _ = _least(stretches, slo)
    return next_rate(_of_class(stretches, name), slo.of(name).attainment, start_per_s, precision)


def _least(stretches: Sequence[Stretch], slo: SLO) -> tuple[str, Capacity]:
    of_classes = {
        name: capacity(own, objective.attainment)
        for name, objective in slo.classes
        if (own := _of_class(stretches, name))
    }
    return min(of_classes.items(), key=lambda item: _modest_first(item[1]))


def _modest_first(found: Capacity) -> tuple[int, float]:
    known = (found.value_per_s, found.high_per_s, found.low_per_s)
    return _ORDER.index(found.verdict), next((end for end in known if end is not None), 0.0)


def _of_class(stretches: Sequence[Stretch], name: str) -> list[Stretch]:
    return [own for stretch in stretches for of, own in stretch.classes if of == name]
