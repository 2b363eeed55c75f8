"""At which loads the settings of a run can be judged against each other."""

from collections import defaultdict
from collections.abc import Sequence

from experiments.run_folder.measured_cell import MeasuredCell
from experiments.spec.setting import Setting


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
