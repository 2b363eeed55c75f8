"""Which run the notebooks read."""

from __future__ import annotations

import os
from pathlib import Path

from reports.errors import NotARunError

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def example() -> Path:
    """The run folder named by the variable HEADROOM_RUN, else the first example run of this checkout.

    Raises NotARunError, with what to do, when there is neither.
    """
    named = os.environ.get("HEADROOM_RUN")
    if named:
        return Path(named)
    stored = sorted(path.parent for path in EXAMPLES.glob("*/run.json"))
    if not stored:
        raise NotARunError(
            "There is no example run here: set HEADROOM_RUN to the folder of a run (runs/<name>)."
        )
    return stored[0]
