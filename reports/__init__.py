"""Turning run folders into pages, tables and figures; computes no result.

`load(run)` gives tidy frames (see `reports.columns` for every column, its unit and meaning);
`reports.figures` draws them.
"""

from reports.run import Run, load

__all__ = ["Run", "load"]
