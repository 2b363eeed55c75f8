"""Which cells and settings of a run take part in the choice, and at which loads, whatever the objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.decide import of_race, recommendation_doubts
from experiments.decide.counted_cells import counted
from experiments.decide.shared_loads import shared_loads
from experiments.errors import UndecidedError, UserError
from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.spec.setting import Setting
from experiments.stats.common_blocks import comparable
from experiments.stats.paired import LEAST_BLOCKS


@dataclass(frozen=True, slots=True)
class Participants:
    """Settings with all of their usable cells, in block order: whatever these were measured for, and those of
    other settings that stand for their own.

    `contenders` were measured at every one of the `loads` that are judged, `others` were not. `doubts`: what
    was left out, a clause each.
    """

    cells: Mapping[Setting, Sequence[MeasuredCell]]
    loads: tuple[str, ...]
    contenders: tuple[Setting, ...]
    others: tuple[Setting, ...]
    doubts: tuple[str, ...]

    def choosing(self, setting: Setting, load: str) -> list[MeasuredCell]:
        """The cells at a load that the setting is chosen by."""
        return [cell for cell in self.cells[setting] if cell.of_matrix and cell.load == load]

    def measured_at(self, load: str) -> dict[Setting, list[MeasuredCell]]:
        """Those cells of every setting that has any, and can be compared with the others by them."""
        found = {setting: own for setting in self.cells if (own := self.choosing(setting, load))}
        linked = comparable({setting: {cell.arrivals for cell in own} for setting, own in found.items()})
        return {setting: found[setting] for setting in linked}

    def best_of(self, load: str) -> list[Setting]:
        """The settings whose best goodput at a load all are held against: one that is no contender counts
        where it rests on more than a lucky block or two."""
        found = self.measured_at(load)
        return [s for s in found if s in self.contenders or len(found[s]) >= LEAST_BLOCKS]


def participants(run: Path, finished: Sequence[MeasuredCell]) -> Participants:
    """Who takes part, of a run's finished cells: those that are `counted`, late ones under a doubt.

    Raises:
        UserError: there is no cell that could be judged.
        UndecidedError: most cells were disturbed.
    """
    every = [cell for cell in finished if not cell.is_sentinel]
    cells = [cell for cell in every if cell.of_matrix]
    _refuse_the_disturbed(cells)
    taking_part = counted(every)
    left_out = [cell for cell in cells if cell not in taking_part.cells]
    why = f"marked invalid and left out ({_codes(left_out)})"
    said = [f"{len(left_out)} of {len(cells)} cells were {why}"] if left_out else []
    said += recommendation_doubts.of_late(taking_part.late) + recommendation_doubts.of_disturbed(cells)
    found = _participants(taking_part.cells, said, of_race.stood_for(run, taking_part.cells))
    if not found.contenders:
        why = f"{len(cells)} finished{f'; invalid: {_codes(cells)}' if cells else ''}"
        raise UserError(f"{run} has no valid, finished cell to recommend from ({why})")
    return found


def _refuse_the_disturbed(cells: Sequence[MeasuredCell]) -> None:
    """Where less than half of the cells was left alone, what is left is chosen by chance."""
    disturbed = [cell for cell in cells if DoubtCode.DISTURBED in cell.invalid_codes]
    if 2 * len(disturbed) > len(cells):
        raise UndecidedError(
            f"cannot decide: {len(disturbed)} of {len(cells)} cells were disturbed (something else slowed "
            "the engine down); find what runs beside it, or give it cores or a card of its own, and run again"
        )


def _codes(cells: Sequence[MeasuredCell]) -> str:
    """What made cells invalid."""
    return ", ".join(sorted({code for cell in cells for code in cell.invalid_codes}))


def _participants(
    cells: Sequence[MeasuredCell],
    doubts: Sequence[str],
    stood_for: Mapping[Setting, Sequence[MeasuredCell]],
) -> Participants:
    own: dict[Setting, list[MeasuredCell]] = {}
    for cell in sorted(cells, key=lambda c: c.block):
        own.setdefault(cell.setting, []).append(cell)
    for setting, found in stood_for.items():
        own.setdefault(setting, []).extend(found)
    loads = tuple(sorted({cell.load for cell in cells if cell.of_matrix}))
    every = Participants(own, loads, (), (), ())
    counted = {load: {s: len(found) for s, found in every.measured_at(load).items()} for load in loads}
    at, complete, said = shared_loads(counted)
    return Participants(
        own,
        tuple(sorted(at)),
        tuple(setting for setting in own if setting in complete),
        tuple(s for s in own if s not in complete and any(cell.of_matrix for cell in own[s])),
        (*doubts, *said),
    )
