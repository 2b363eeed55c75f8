"""Figures, one idea each: tidy frames in, a `reports.drawing.Figure` out; used by the report and by
notebooks alike.
"""

from reports.figures.agreement import agreement
from reports.figures.breakdown import breakdown
from reports.figures.changes import changes
from reports.figures.heat_map import counted, grid, heat_map
from reports.figures.heat_map import in_part as heat_map_in_part
from reports.figures.heat_map import join as heat_map_joins
from reports.figures.heat_map import title as heat_map_title
from reports.figures.heat_map import unequal as heat_map_is_unequal
from reports.figures.hockey_stick import UNKNOWN as UNKNOWN_KNEE
from reports.figures.hockey_stick import Knee, hockey_stick
from reports.figures.hockey_stick import columns as hockey_stick_columns
from reports.figures.knee import knee
from reports.figures.outcomes import outcomes
from reports.figures.predicted import predicted
from reports.figures.race import in_order, race
from reports.figures.rate_points import base_scenario, curves
from reports.figures.tail import tail
from reports.figures.time_series import time_series

__all__ = [
    "UNKNOWN_KNEE",
    "Knee",
    "agreement",
    "base_scenario",
    "breakdown",
    "changes",
    "counted",
    "curves",
    "grid",
    "heat_map",
    "heat_map_in_part",
    "heat_map_is_unequal",
    "heat_map_joins",
    "heat_map_title",
    "hockey_stick",
    "hockey_stick_columns",
    "in_order",
    "knee",
    "outcomes",
    "predicted",
    "race",
    "tail",
    "time_series",
]
