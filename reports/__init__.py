"""Turning run folders into pages, tables and figures; computes no result.

`load(run)` gives tidy frames (`reports.columns` has every column, its unit and meaning), `reports.figures`
draws them; `example()` names the run that the notebooks read.
"""

from reports.example import example
from reports.run import NotARunError, Run, load

__all__ = ["NotARunError", "Run", "example", "load"]
