"""The probe held against the cells: what full slots served in a few seconds then, and in cells since.

Loads, windows and the queue's timeout are multiples of what the probe saw. If something disturbed it, a load
named 0.7 of capacity is another one, for every setting alike.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from experiments.design.probe import Probe
from experiments.run_folder.measured_cell import MeasuredCell

FULL = 0.95
"""Share of the slots in use from which on a cell served as fast as so many slots can."""
LEAST_CELLS = 2
PROBE_SD = 0.10
"""A few seconds a step tell rates no better, relative."""
Z = 1.959964


def of_probe(cells: Sequence[MeasuredCell], probe: Probe | None) -> list[str]:
    """A sentence where the cells of the first workload with full slots served clearly more, or clearly less,
    than the probe's step with so many in flight."""
    ratios = [ratio for cell in cells for ratio in _ratio(cell, probe)]
    if len(ratios) < LEAST_CELLS:
        return []
    middle = statistics.median(ratio for ratio, _ in ratios)
    requests = sum(served for _, served in ratios)
    allowed = Z * math.hypot(PROBE_SD, 1 / math.sqrt(requests)) + 0.05
    if abs(math.log(middle)) <= allowed:
        return []
    more = "more" if middle > 1 else "less"
    return [
        f"with all slots busy the cells served {abs(middle - 1):.0%} {more} than the probe had seen with so "
        "many in flight: it was disturbed, or answers differ in length; loads that are named by a share of "
        f"capacity were about {1 / middle:.2f} times what they say"
    ]


def _ratio(cell: MeasuredCell, probe: Probe | None) -> list[tuple[float, int]]:
    """Served over what the probe's staircase has at these slots, and how many requests; none for a cell that
    was not full, or whose slots lie outside the staircase."""
    saturation, window = cell.summary.saturation, cell.summary.window
    if probe is None or len(probe.steps) < 2 or saturation is None or cell.invalid_codes:
        return []
    slots = cell.setting.limits.max_active
    in_flight, rates_per_s = (np.array(column, float) for column in zip(*probe.steps, strict=True))
    if (saturation.slots_busy_ratio or 0.0) < FULL or not in_flight[0] <= slots <= in_flight[-1]:
        return []
    ends_s = [record.finished_s for record in cell.records() if record.outcome == "ok"]
    served = sum(window.start_s <= end_s < window.end_s for end_s in ends_s if end_s is not None)
    expected_per_s = float(np.exp(np.interp(np.log(slots), np.log(in_flight), np.log(rates_per_s))))
    return [(served / window.length_s / expected_per_s, served)] if served else []
