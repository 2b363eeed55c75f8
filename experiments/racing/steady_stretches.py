"""What measured cells tell of the rates they were measured at."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.measure.cell_evidence import is_stationary
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.run_folder.relative_speed import relative_speed
from experiments.stats.stretch import Stretch, stretch_of
from loadtests.planning.rate import RECORDED
from loadtests.slo import SLO


def stretches_of(cells: Sequence[MeasuredCell], slo: SLO, usual: float) -> list[Stretch]:
    """What each valid cell under a steady load tells of its rate, on an engine as fast as `usual`: where it
    was 2 % slower, times may be 2 % longer and the load counts as 2 % denser. Where nothing but recorded
    traffic was played, its cells are taken: a rate is then a mean over what comes in bursts."""
    found = []
    recorded = all(cell.scenario == RECORDED for cell in cells)
    for cell in cells:
        if cell.invalid_codes or not (recorded or is_stationary(cell.scenario)):
            continue
        speed = relative_speed(cell, usual)
        found.append(stretch_of(cell.rate_per_s, cell.trace(slo.scaled(speed)), speed))
    return found


def session_stretches_of(
    cells: Sequence[MeasuredCell], slo: SLO, usual: float, requests_per_session: float
) -> list[Stretch]:
    """The same of whole sessions, whose rate is that of the requests over how many each of them has."""
    found = []
    for cell in cells:
        if cell.invalid_codes or not is_stationary(cell.scenario):
            continue
        speed = relative_speed(cell, usual)
        rate_per_s = float(f"{cell.rate_per_s / requests_per_session:.3g}")
        found.append(stretch_of(rate_per_s, cell.session_trace(slo.scaled(speed)), speed))
    return found
