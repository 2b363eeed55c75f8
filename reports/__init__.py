"""Turning run folders into pages, tables and figures; computes no result.

`load(run)` gives tidy frames (`reports.columns` has every column, its unit and meaning), `.plot` the report's
figures of them; `example()` names the run that the notebooks read.
"""

from reports.example import example
from reports.loaded import LoadedRun, load
from reports.run import NotARunError, Run

__all__ = ["LoadedRun", "NotARunError", "Run", "example", "load"]
