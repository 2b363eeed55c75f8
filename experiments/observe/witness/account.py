"""From readings of the machine to what is stored: a series of each counter, and the account of the window."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.observe.witness.nvml import Limits
from experiments.observe.witness.own_time import CoreSet
from experiments.observe.witness.readings import (
    CLOCK_HZ,
    ENGINE,
    GPU_OTHERS,
    GPU_OTHERS_BYTES,
    HARNESS,
    MachineReading,
    busy,
    others,
)
from experiments.observe.witness.seen import CardSeen, CoresSeen, Witness

_SHORTEST_S = 0.5
"""Of a rate: the kernel counts in hundredths of a second."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What of the engine's GPU does not change."""

    name: str
    index: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that was read around one cell's load."""

    readings: tuple[MachineReading, ...]
    cores: Mapping[str, CoreSet]
    card: CardFacts | None = None

    def series(self, began_unix_s: float) -> pd.DataFrame:
        """As in series.parquet: t_s (from `began_unix_s`), metric, value; one row a second and metric."""
        rows: list[tuple[float, str, float]] = []
        spaced = _spaced(self.readings)
        for before, after in itertools.pairwise(spaced):
            t_s, passed_s = after.unix_s - began_unix_s, after.unix_s - before.unix_s
            for name, count in after.counters.items():
                if name in before.counters:
                    rows.append((t_s, name, max(0.0, (count - before.counters[name]) / passed_s)))
            rows += [(t_s, name, value) for name, value in after.values.items()]
        return pd.DataFrame(rows, columns=["t_s", "metric", "value"]).astype(
            {"t_s": float, "metric": str, "value": float}
        )

    def witness(self, start_unix_s: float, end_unix_s: float) -> Witness | None:
        """The account of this window; None where nothing was read in it."""
        inside = [of for of in self.readings if start_unix_s <= of.unix_s <= end_unix_s]
        if not inside:
            return None
        rates = _rates(self.readings, start_unix_s, end_unix_s)
        series = self.series(start_unix_s)
        series = series[(series["t_s"] > 0) & (series["t_s"] <= end_unix_s - start_unix_s)]
        worst = {str(name): float(value) for name, value in series.groupby("metric")["value"].max().items()}
        clocks = [of.values[CLOCK_HZ] for of in inside if CLOCK_HZ in of.values]
        return Witness(
            readings=len(inside),
            engine_cores=self._cores(ENGINE, rates, worst),
            harness_cores=self._cores(HARNESS, rates, worst),
            clock_hz=float(np.mean(clocks)) if clocks else None,
            gpu=None if self.card is None else _card(self.card, inside),
            **{
                name: rates.get(name)
                for name in (
                    "cpu_steal_ratio",
                    "cpu_pressure_ratio",
                    "memory_pressure_ratio",
                    "io_pressure_ratio",
                    "cgroup_throttled_ratio",
                    "swap_bytes_per_s",
                )
            },
        )

    def _cores(self, name: str, rates: Mapping[str, float], worst: Mapping[str, float]) -> CoresSeen | None:
        if busy(name) not in rates:
            return None
        return CoresSeen(
            cores=tuple(sorted(self.cores[name])),
            busy_ratio=min(1.0, rates[busy(name)]),
            others_ratio=_share(rates.get(others(name))),
            others_worst_ratio=_share(worst.get(others(name))) if others(name) in rates else None,
        )


def _share(value: float | None) -> float | None:
    return None if value is None else min(1.0, value)


def _spaced(readings: Sequence[MachineReading]) -> list[MachineReading]:
    """Without those that follow another too closely for a rate."""
    kept: list[MachineReading] = []
    for reading in readings:
        if not kept or reading.unix_s - kept[-1].unix_s >= _SHORTEST_S:
            kept.append(reading)
    return kept


def _rates(readings: Sequence[MachineReading], start_unix_s: float, end_unix_s: float) -> dict[str, float]:
    """Mean growth per second in the window, of each counter that was read at both of its ends or beyond."""
    found = {}
    for name in {name for of in readings for name in of.counters}:
        pairs = np.array([(of.unix_s, of.counters[name]) for of in readings if name in of.counters])
        times, counts = pairs.T
        if times[0] - _SHORTEST_S > start_unix_s or times[-1] + _SHORTEST_S < end_unix_s:
            continue
        at_start, at_end = np.interp([start_unix_s, end_unix_s], times, counts)
        found[name] = max(0.0, float(at_end - at_start) / (end_unix_s - start_unix_s))
    return found


def _card(facts: CardFacts, inside: Sequence[MachineReading]) -> CardSeen:
    def all_of(name: str) -> list[float]:
        return [of.values[name] for of in inside if name in of.values]

    def mean(values: Sequence[float]) -> float | None:
        return float(np.mean(values)) if values else None

    heat, brake = all_of("gpu_thermal_slowdown"), all_of("gpu_power_brake")
    together = max(all_of(GPU_OTHERS), default=None)
    return CardSeen(
        name=facts.name,
        index=facts.index,
        others=None if together is None else int(together),
        others_memory_bytes=max(all_of(GPU_OTHERS_BYTES), default=None),
        clock_hz=mean(all_of("gpu_clock_hz")),
        temperature_c=max(all_of("gpu_temperature_c"), default=None),
        power_cap_ratio=mean(all_of("gpu_power_cap")),
        slowed_ratio=mean([max(pair) for pair in zip(heat, brake, strict=True)]),
        power_limit_w=facts.limits.in_force_w,
        power_limit_default_w=facts.limits.default_w,
    )
