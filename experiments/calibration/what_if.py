"""The what-if of a run: settings and loads around those that it measured, as its calibration expects them.

It is made once, at the end of a run, within `LIMIT_S` of computing, whoever else is busy; reports only show
it. Loads are played whole, and those that there is no time for are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from experiments.calibration import calibrated
from experiments.calibration.calibrated import FittedEngine
from experiments.calibration.forecast import Forecast, Forecaster, capacity_per_s
from experiments.calibration.gate import CalibrationGate
from experiments.calibration.what_if_axes import GridLoad, loads_around, playable, settings_around
from experiments.errors import UserError
from experiments.run_folder import codec
from experiments.run_folder.measured_cell import finished_cells
from experiments.run_folder.prediction import ModelGate, ModelUsed
from experiments.run_folder.reading import objective_of, recommended_setting
from experiments.run_folder.what_if import ExpectedValue, WhatIf, WhatIfLoad, WhatIfPoint
from experiments.spec import workloads
from experiments.spec.setting import Setting
from experiments.spec.simulated_traces import SimulatedTraces
from experiments.twin.predicted import Expected
from experiments.twin.simulate import Player

FILE = "what_if.json"
LIMIT_S = 20.0
"""CPU seconds of this process."""


def keep(run: Path, calibration: Path, traces: SimulatedTraces) -> WhatIf:
    """Make the what-if of a run, and write it into its folder.

    Raises:
        UserError: why there is none.
    """
    made = what_if(run, calibration, traces)
    codec.write(run / FILE, made)
    return made


def kept_or_why_not(run: Path, calibration: Path) -> str:
    """Make and write it, at the end of a run: a sentence of what was made, or why nothing was."""
    try:
        return said(keep(run, calibration, SimulatedTraces()))
    except UserError as error:
        return f"no what-if: {error}"


def said(made: WhatIf) -> str:
    """What was made, in a sentence."""
    points = sum(len(load.points) for load in made.loads)
    left_out = f"; no time was left for {', '.join(made.dropped)}" if made.dropped else ""
    return (
        f"what-if: {points} points under {len(made.loads)} loads predicted in {made.took_s:.0f} s{left_out}"
    )


def what_if(
    run: Path, calibration: Path, traces: SimulatedTraces, clock: Callable[[], float] = time.process_time
) -> WhatIf:
    """The what-if of a run that was measured. `calibration`: a profile.json, or its folder.

    Raises:
        UserError: the model was refused, the run has no cell that it can play, or the time was too short for
            a single load.
    """
    model = calibrated.read(calibration)
    if model.gate is not None and not model.gate.passed:
        raise UserError(f"the calibration was refused ({model.gate.why}): nothing is predicted with it")
    slo, cells = objective_of(run), playable(finished_cells(run))
    begun_s, player = clock(), Player(expected=traces.count)
    forecaster = Forecaster(model, slo, traces, player)
    settings = settings_around(cells, recommended_setting(run), slo)
    made: list[WhatIfLoad] = []
    dropped: list[str] = []
    for one in loads_around(cells, lambda name: capacity_per_s(model, name)):
        mix = workloads.mix(one.workload, model.profile.max_model_len)
        played = forecaster.at(one.load, mix, settings)
        found = _in_time(played, lambda: clock() - begun_s < LIMIT_S)
        if len(found) < len(settings):
            dropped.append(str(one))
        else:
            made.append(_load(one, settings, found))
    if not made:
        raise UserError(f"{LIMIT_S:g} s were too short to play one load: {player}")
    return WhatIf(
        model=_used(model),
        calibration=str(calibration),
        held_out={} if model.gate is None else {k: one.error for k, one in model.gate.held_out.items()},
        slo=str(slo),
        traces=traces,
        loads=tuple(sorted(made, key=lambda one: (one.workload, one.scenario, one.rate_per_s))),
        dropped=tuple(dropped),
        took_s=clock() - begun_s,
    )


def _in_time(played: Iterator[Forecast], more: Callable[[], bool]) -> dict[Setting, Forecast]:
    """What is played while there is time, by setting."""
    found: dict[Setting, Forecast] = {}
    while more() and (forecast := next(played, None)) is not None:
        found[forecast.setting] = forecast
    return found


def _load(one: GridLoad, settings: Sequence[Setting], found: dict[Setting, Forecast]) -> WhatIfLoad:
    load = one.load
    points = tuple(_point(found[setting], one) for setting in settings)
    return WhatIfLoad(str(load), one.workload, load.scenario, load.rate_per_s or 0.0, points)


def _point(forecast: Forecast, one: GridLoad) -> WhatIfPoint:
    """A setting's name leaves out what has no effect, such as the length of no queue."""
    setting, expected = forecast.setting, forecast.expected
    return WhatIfPoint(
        setting=setting,
        goodput_per_s=_value(expected["goodput_per_s"]),
        attainment=_value(expected["attainment"]),
        ttft_p95_s=_value(expected["ttft_p95_s"]),
        e2e_p95_s=_value(expected["e2e_p95_s"]),
        cells=tuple(cell.id for cell in one.cells if cell.setting.name == setting.name),
    )


def _value(expected: Expected) -> ExpectedValue:
    return ExpectedValue(
        *(x if math.isfinite(x) else None for x in (expected.mean, expected.low, expected.high))
    )


def _used(model: FittedEngine) -> ModelUsed:
    profile, gate = model.profile, model.gate
    return ModelUsed(profile.name, profile.source, profile.source, len(model.draws), _told(gate))


def _told(gate: CalibrationGate | None) -> ModelGate:
    if gate is None:
        return ModelGate(None, calibrated.UNTRIED)
    return ModelGate(gate.passed, gate.why)
