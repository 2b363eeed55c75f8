"""What a run's command says and leaves when it is stopped (Ctrl-C, or a polite kill)."""

from __future__ import annotations

import sys
from dataclasses import replace

from experiments.run_folder.folder import RunDir
from experiments.run_folder.run_state import RunStatus

EXIT_CODE = 130


def stopped(run: RunDir) -> int:
    """Mark the run partial and say how it goes on; the exit code."""
    run.save(replace(run.state, status=RunStatus.PARTIAL))
    print(
        f"headroom: stopped; {run.path} holds what was measured: the same command goes on where it stopped, "
        f"python -m reports {run.path} shows what is there",
        file=sys.stderr,
    )
    return EXIT_CODE
