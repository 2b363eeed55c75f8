"""What a reader of a recommendation should know of the run behind it, beyond the chosen cells' goodput."""

from collections.abc import Sequence

from experiments.run_folder.doubt import DoubtCode
from experiments.run_folder.measured_cell import MeasuredCell


def of_disturbed(cells: Sequence[MeasuredCell]) -> list[str]:
    """Which cells decided nothing because something slowed the engine down in them, and by how much."""
    named = [
        f"{cell.id} ({cell.summary.speed.size})"
        for cell in cells
        if DoubtCode.DISTURBED in cell.invalid_codes and cell.summary.speed is not None
    ]
    return [f"left out, since disturbed: {', '.join(named)}"] if named else []


def of_run(cells: Sequence[MeasuredCell], chosen: Sequence[MeasuredCell]) -> list[str]:
    """Doubts of the design: engine values that were each started once, machines that drifted.

    Args:
        cells: of every setting that was considered.
        chosen: of the recommended setting.
    """
    found = []
    engines = {str(cell.setting.engine) for cell in cells}
    if len(engines) > 1:
        found.append(
            f"the engine was started once for each of its {len(engines)} values, so what differs between two "
            "starts, or between the hours, is part of their difference: measure the best two again the other "
            "way round before you rely on it"
        )
    texts = [doubt.text for cell in chosen for doubt in cell.summary.doubts if doubt.code is DoubtCode.DRIFT]
    return found + list(dict.fromkeys(texts))
