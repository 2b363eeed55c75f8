"""Settings under loads, played on a calibrated engine: what `predict` prints and a report's what-if shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from experiments.calibration.calibrated import FittedEngine
from experiments.spec import workloads
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.spec.simulated_traces import SimulatedTraces
from experiments.twin.capacity import predicted_capacity
from experiments.twin.predicted import Expected, Predictor
from experiments.twin.simulate import Player
from loadtests.bulk import no_collection
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

_TYPICAL = 500
"""Requests of a mix from which its capacity is predicted."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A setting under a load; `expected`: each of `predicted.MEASURES`, over the traces."""

    setting: Setting
    load: Load
    expected: dict[str, Expected]


class Forecaster:
    """Plays every setting on the same traces, and the k-th trace always on the same engine: one of those that
    the calibration allows. Equal arguments, equal numbers.
    """

    def __init__(self, model: FittedEngine, slo: SLO, traces: SimulatedTraces, player: Player) -> None:
        self._engines = model.samples(traces.count)
        self._slo = slo
        self._traces = traces
        self._player = player

    def at(self, load: Load, mix: Mix, settings: Collection[Setting]) -> Iterator[Forecast]:
        """What is expected of each setting under a load whose rate is known, the widest setting first: where
        it binds nowhere, the others are the same run.
        """
        own, rate_per_s = self._traces, load.rate_per_s or 0.0
        with no_collection():
            plans = [
                plan.make(load.scenario, rate_per_s, own.warm_up_s, own.measure_s, own.seed + k, mix)
                for k in range(own.count)
            ]
        predictor = Predictor(plans, self._engines, self._slo, self._player)
        for setting in sorted(settings, key=lambda setting: setting.smaller_first, reverse=True):
            yield Forecast(setting, load, predictor.cell(setting.limits, setting.table))


def capacity_per_s(model: FittedEngine, workload: str) -> float:
    """Requests of a workload that the engine serves per second when it always has enough of them."""
    lengths = workloads.typical(workload, model.profile.max_model_len)
    return predicted_capacity(model.profile, [lengths])


def capacity_of_classes(model: FittedEngine, mix: Mix) -> float:
    """The same of a mix of load classes: lengths as a closed loop draws them."""
    pool = plan.make("closed", 1.0, 0.0, 1.0, 0, mix).arrivals[:_TYPICAL]
    return predicted_capacity(model.profile, [(one.prompt_tokens, one.output_tokens) for one in pool])
