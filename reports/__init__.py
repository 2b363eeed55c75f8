"""Turning run folders into pages, tables and figures; computes no result.

`load(run)` gives tidy frames (`reports.columns` has every column, its unit and meaning), `.plot` the report's
figures of them; `example()` names the run that the notebooks read.
"""

from typing import TYPE_CHECKING

from reports.errors import NotARunError
from reports.example import example

if TYPE_CHECKING:
    from reports.loaded import LoadedRun, load
    from reports.run import Run

__all__ = ["LoadedRun", "NotARunError", "Run", "example", "load"]


def __getattr__(name: str) -> object:
    """What needs pandas when it is asked for: `python -m reports --help` imports this module too."""
    if name in ("LoadedRun", "Run", "load"):
        from reports import loaded

        return getattr(loaded, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
