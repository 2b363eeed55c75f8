"""At which loads the settings of a run can be judged against each other."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell
from experiments.spec.setting import Setting


@dataclass(frozen=True, slots=True)
class Contenders:
    """The settings that are chosen among, each with its cells: load → cells in block order, loads by name.

    `provisional`: there is no whole setting but with cells whose load generator was late. `doubts`: what was
    left out, a clause each.
    """

    cells: dict[Setting, dict[str, list[MeasuredCell]]]
    provisional: bool
    doubts: list[str]


def contenders(cells: Sequence[MeasuredCell]) -> Contenders:
    """Of the cells of a matrix, those that take part in the choice; it depends on no objective.

    The valid ones; where they make no whole setting, also those whose only fault is a late load generator:
    latency counts from the due time, so goodput is understated, and the choice a sketch, not an error.
    """
    found, doubts = _whole_settings([cell for cell in cells if not cell.invalid_codes])
    if found:
        return Contenders(found, False, doubts)
    late = [cell for cell in cells if cell.invalid_codes <= {DoubtCode.CLIENT_SATURATED}]
    found, doubts = _whole_settings(late)
    return Contenders(found, True, doubts)


def _whole_settings(
    cells: Sequence[MeasuredCell],
) -> tuple[dict[Setting, dict[str, list[MeasuredCell]]], list[str]]:
    """Settings that were measured at every load and in every block; the others are named in a doubt."""
    by_setting: dict[Setting, dict[str, list[MeasuredCell]]] = {}
    for cell in sorted(cells, key=lambda c: c.block):
        by_setting.setdefault(cell.setting, {}).setdefault(cell.load, []).append(cell)
    loads, complete, doubts = shared_loads(cells)
    names = ", ".join(setting.name for setting in by_setting if setting not in complete)
    doubts += [f"left out, since not measured at every load: {names}"] if names else []
    order = sorted(loads)
    whole = {
        setting: {load: found[load] for load in order}
        for setting, found in by_setting.items()
        if setting in complete
    }
    return whole, doubts


def shared_loads(cells: Sequence[MeasuredCell]) -> tuple[list[str], set[Setting], list[str]]:
    """The loads to judge at, the settings measured there in every block, and a doubt if loads are missing.

    All loads where some setting has them all; else the one that most settings share, as in a verification of
    `tune`, whose settings meet at one load.
    """
    blocks: dict[str, set[int]] = defaultdict(set)
    seen: dict[str, dict[Setting, set[int]]] = defaultdict(lambda: defaultdict(set))
    for cell in cells:
        blocks[cell.load].add(cell.block)
        seen[cell.load][cell.setting].add(cell.block)
    complete = {load: {s for s, had in found.items() if had == blocks[load]} for load, found in seen.items()}
    if not complete:
        return [], set(), []
    everywhere = set.intersection(*complete.values())
    if everywhere or not any(complete.values()):
        return list(complete), everywhere, []
    most = max(sorted(complete), key=lambda load: len(complete[load]))
    return [most], complete[most], [f"judged at {most} only: no setting was measured at every load"]
