"""Which run the notebooks read."""

from __future__ import annotations

import os
from pathlib import Path

from reports.errors import NotARunError

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def example(name: str = "vllm-cpu-standard", variable: str = "HEADROOM_RUN") -> Path:
    """The run folder named by an environment variable, else an example run of this checkout.

    Raises NotARunError, with what to do, when there is neither.
    """
    named = os.environ.get(variable)
    if named:
        return Path(named)
    if not (EXAMPLES / name / "run.json").is_file():
        raise NotARunError(
            f"There is no example run here: set {variable} to the folder of a run (runs/<name>)."
        )
    return EXAMPLES / name
