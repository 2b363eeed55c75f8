"""Figures, one idea each: tidy frames in, a matplotlib Figure out; used by the report and by notebooks
alike.
"""

from reports.figures.agreement import agreement
from reports.figures.heat_map import grid, heat_map
from reports.figures.heat_map import join as heat_map_joins
from reports.figures.heat_map import title as heat_map_title
from reports.figures.hockey_stick import base_scenario, curves, hockey_stick
from reports.figures.outcomes import outcomes
from reports.figures.predicted import predicted
from reports.figures.stages import stages
from reports.figures.tail import tail
from reports.figures.time_series import time_series

__all__ = [
    "agreement",
    "base_scenario",
    "curves",
    "grid",
    "heat_map",
    "heat_map_joins",
    "heat_map_title",
    "hockey_stick",
    "outcomes",
    "predicted",
    "stages",
    "tail",
    "time_series",
]
