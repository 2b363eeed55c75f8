"""Whether a cell's warm-up may not have been over when its measured window began."""

from __future__ import annotations

from experiments.run_folder.cell_summary import CellSummary
from experiments.stats.steady_state import SteadyVerdict


def began_early(summary: CellSummary) -> bool:
    """Whether the latency changed its level in the window. MSER-5 would say where a transient ended, but
    takes noise for one now and then, and the reverse: any change is reason enough for a longer warm-up."""
    return summary.steady_state is not None and summary.steady_state.verdict is SteadyVerdict.NOT_STEADY
