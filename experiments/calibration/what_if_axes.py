"""The axes of a what-if: settings and loads around those that a run measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from experiments.errors import UserError
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from gateway.limits import Limits, QueueMode
from loadtests.planning.optional_fields import AnswerLengths
from loadtests.slo import SLO

RATES, SLOTS, TIMEOUTS = 7, 6, 3
"""Values of each axis, unless more were measured: rates of a workload and scenario, MAX_ACTIVE,
QUEUE_TIMEOUT_S."""
OF_CAPACITY = (1.0, 0.8, 0.6, 1.2, 0.9, 0.7, 0.4)
"""Rates beside the measured ones, over the capacity of the model: those that tell most first."""
SAME_RATE = 0.04
"""A rate this near to a measured one tells nothing more."""
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class GridLoad:
    """A load of the grid, its workload as `--workload` takes it, and the run's cells under it."""

    load: Load
    workload: str
    cells: Sequence[MeasuredCell]

    def __str__(self) -> str:
        return f"{self.load} {self.workload}"


def settings_around(cells: Sequence[MeasuredCell], recommended: Setting | None, slo: SLO) -> list[Setting]:
    """Every MAX_ACTIVE without a queue, and with one of each timeout; what the axes do not vary is as the
    recommended setting has it, or the widest that queues.

    Raises:
        UserError: the engine was started with several values, and a calibration is of one.
    """
    measured = {cell.setting for cell in cells}
    if len({setting.engine for setting in measured}) > 1:
        raise UserError("the run varied its engine's own limits, and a calibration is of one of them")
    queued = [setting for setting in measured if setting.limits.queue_mode is QueueMode.QUEUE]
    like = max(queued or measured, key=lambda setting: setting.smaller_first)
    if recommended in queued:
        like = recommended
    slots = spread([one.limits.max_active for one in measured], SLOTS, lambda x: max(1, round(x)))
    waits_s = [one.limits.queue_timeout_s for one in queued] or [slo.ttft_s or _PATIENCE_S]
    timeouts_s = spread(waits_s, TIMEOUTS, lambda x: float(f"{x:.2g}"))
    limits = replace(like.limits, version=Limits().version)
    return [
        replace(like, limits=one)
        for n in slots
        for one in (
            replace(limits, max_active=int(n), queue_mode=QueueMode.REJECT),
            *(
                replace(limits, max_active=int(n), queue_mode=QueueMode.QUEUE, queue_timeout_s=wait_s)
                for wait_s in timeouts_s
            ),
        )
    ]


def loads_around(cells: Sequence[MeasuredCell], capacity_per_s: Callable[[str], float]) -> list[GridLoad]:
    """The measured loads, then others of the same scenarios and workloads, in the order in which they are
    worth their time. `capacity_per_s`: of the model, for a workload.
    """
    found: list[tuple[int, GridLoad]] = []
    for name, of in by_workload(cells).items():
        full_per_s = capacity_per_s(name)
        for scenario in dict.fromkeys(cell.scenario for cell in of if cell.of_matrix):
            own = [cell for cell in of if cell.scenario == scenario]
            rates = sorted({cell.rate_per_s for cell in own if cell.of_matrix and cell.rate_per_s})
            wanted = [float(f"{share * full_per_s:.3g}") for share in OF_CAPACITY]
            others = [rate for rate in wanted if all(abs(rate / one - 1) > SAME_RATE for one in rates)]
            ranked = [*((0, rate) for rate in rates), *enumerate(others[: max(0, RATES - len(rates))], 1)]
            for rank, rate in ranked:
                here = [cell for cell in own if cell.rate_per_s == rate]
                found.append((rank, GridLoad(Load(scenario, rate, None), name, here)))
    return [one for _, one in sorted(found, key=lambda ranked: ranked[0])]


def playable(cells: Sequence[MeasuredCell]) -> list[MeasuredCell]:
    """Those that tell of a setting and whose requests the model can play.

    Raises:
        UserError: none is.
    """
    own = [cell for cell in cells if not cell.is_sentinel]
    if own and all(cell.summary.workload.answer_lengths is AnswerLengths.FREE for cell in own):
        raise UserError("the engine ended its answers itself, and the model plays planned lengths")
    if own and all(cell.summary.workload.mix for cell in own):
        raise UserError("the load mixes classes, which only `predict --mix` plays")
    found = [cell for cell in own if _planned(cell) is not None]
    if not any(cell.of_matrix for cell in found):
        raise UserError("the run has no finished cell whose requests the model could play")
    return found


def by_workload(cells: Sequence[MeasuredCell]) -> Mapping[str, list[MeasuredCell]]:
    """Cells by workload: `98x24` where prompts of one length were planned, as long as the engine counted
    them (a chat template makes short ones longer); else the name of the mix.
    """
    planned: dict[str, list[MeasuredCell]] = {}
    for cell in cells:
        planned.setdefault(_planned(cell) or "", []).append(cell)
    return {_as_counted(name, of): of for name, of in planned.items() if name}


def _planned(cell: MeasuredCell) -> str | None:
    offered = cell.summary.workload
    if offered.answer_lengths is AnswerLengths.FREE or offered.mix:
        return None
    if offered.prompt_tokens is None or offered.output_tokens is None:
        return offered.workload
    return f"{offered.prompt_tokens}x{offered.output_tokens}"


def _as_counted(planned: str, cells: Sequence[MeasuredCell]) -> str:
    prompt, x, output = planned.partition("x")
    compared = [cell.summary.lengths.prompts for cell in cells if cell.summary.lengths is not None]
    reported = [one.reported_mean for one in compared if one.reported_mean is not None]
    if not (x and prompt.isdecimal() and reported):
        return planned
    return f"{max(int(prompt), round(statistics.median(reported)))}x{output}"


def spread(own: Collection[float], most: int, rounded: Callable[[float], float]) -> list[float]:
    """The values themselves; and up to `most` of them those in the middle between two, twice the largest
    and half the least. Ascending.
    """
    known = sorted(set(own))
    between = [rounded(math.sqrt(one * next_)) for one, next_ in pairwise(known)]
    wanted = [*known, *between, rounded(2 * known[-1]), rounded(known[0] / 2)]
    return sorted(list(dict.fromkeys(wanted))[: max(most, len(known))])
