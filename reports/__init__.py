"""Turning run folders into pages, tables and figures; computes no result.

`load(run)` gives tidy frames (`reports.columns` has every column, its unit and meaning), `reports.figures`
draws them; `example()` names the run that the notebooks read.
"""

from typing import TYPE_CHECKING

from reports.errors import NotARunError
from reports.example import example

if TYPE_CHECKING:
    from reports.run import Run, load

__all__ = ["NotARunError", "Run", "example", "load"]


def __getattr__(name: str) -> object:
    """`load` and `Run` when they are asked for: `python -m reports --help` imports this module too, without
    pandas."""
    if name in ("Run", "load"):
        from reports import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
